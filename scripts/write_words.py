# SPDX-License-Identifier: Apache-2.0
"""Write the words that instructions are made of: `python scripts/write_words.py WORDNET`.

WORDNET is a folder with `index.noun`, `data.noun` and so on of WordNet 3.0, such as
`/usr/share/wordnet` of Debian's package wordnet-base. What is written:

    things.txt      nouns of artefacts, food, animals, plants, shapes and substances
    nouns.txt       other nouns, which only stand before a thing: tennis ball
    adjectives.txt  words that are adjectives and no nouns

Words must be usual: one token of CLIP's vocabulary, or seen in the texts that WordNet counted;
artefacts, food and shapes, of which most instructions are, are all kept.
"""

from __future__ import annotations

import argparse
import gzip
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

WORDS = Path(__file__).parents[1] / 'src/vidplan_core/vidplan_core/language/words'
NOTICE = '# Of WordNet 3.0, Copyright 2006 by Princeton University; see LICENSE.'
# Numbers of WordNet's lexicographer files (lexnames(5)).
ANIMAL, ARTEFACT, FOOD, PLANT, SHAPE, SUBSTANCE = 5, 6, 13, 20, 25, 27
THINGS = {ANIMAL, ARTEFACT, FOOD, PLANT, SHAPE, SUBSTANCE}
NOUN = 1
FIRST_SENSES = 4  # of a word that is usual; 2 of one that is not

Senses = dict[str, list[tuple[int, set[str]]]]


def read_senses(folder: Path, kind: str) -> Senses:
    """Return of every word its senses, the usual first: lexicographer file and spellings."""
    synsets = {}
    for line in _lines(folder / f'data.{kind}'):
        offset, lexicographer, _, count, *rest = line.split()
        synsets[offset] = (int(lexicographer), set(rest[: 2 * int(count, 16) : 2]))
    senses = {}
    for line in _lines(folder / f'index.{kind}'):
        word, _, _, pointers, *rest = line.split()
        senses[word] = [synsets[offset] for offset in rest[int(pointers) + 2 :]]
    return senses


def read_counts(folder: Path) -> Counter[tuple[str, int, int]]:
    """How often a word was met as a kind of word in a sense of a lexicographer file."""
    counts: Counter[tuple[str, int, int]] = Counter()
    for line in _lines(folder / 'cntlist.rev'):
        key, _, count = line.split()
        word, sense = key.split('%')
        kind, lexicographer, *_ = sense.split(':')
        counts[word, int(kind), int(lexicographer)] += int(count)
    return counts


def clip_words() -> set[str]:
    """Whole words among the tokens of CLIP."""
    spec = find_spec('open_clip')
    if spec is None or spec.origin is None:
        raise SystemExit('write_words: pip install open-clip-torch, whose vocabulary is read')
    path = Path(spec.origin).with_name('bpe_simple_vocab_16e6.txt.gz')
    merges = gzip.decompress(path.read_bytes()).decode().split('\n')[1 : 49152 - 256 - 1]
    return {''.join(merge.split())[:-4] for merge in merges if merge.endswith('</w>')}


def things(nouns: Senses, counts: Counter[tuple[str, int, int]], usual: set[str]) -> set[str]:
    """Nouns of things that can be taken, unless they mostly mean something else."""
    by_kind: Counter[tuple[str, bool]] = Counter()
    for (word, kind, lexicographer), count in counts.items():
        by_kind[word, kind == NOUN and lexicographer in THINGS] += count
    found = set()
    for word in filter(_is_plain, nouns):
        if word in usual:
            dominant = by_kind[word, False] <= 3 * by_kind[word, True] + 2
            named = dominant and _names(nouns[word][:FIRST_SENSES], word, THINGS)
        else:
            named = _names(nouns[word][:2], word, {ARTEFACT, FOOD, SHAPE})
        found |= {word} if named else set()
    return found


def _names(senses: Iterable[tuple[int, set[str]]], word: str, kinds: set[int]) -> bool:
    return any(kind in kinds and word in spellings for kind, spellings in senses)


def _is_plain(word: str) -> bool:
    return re.fullmatch(r'[a-z]{3,}(-[a-z]+)*', word) is not None


def _lines(path: Path) -> Iterator[str]:
    return (line for line in path.read_text().splitlines() if not line.startswith('  '))


def write(name: str, words: set[str]) -> None:
    """Write one list, sorted."""
    text = textwrap.fill(' '.join(sorted(words)), 99, break_on_hyphens=False)
    (WORDS / f'{name}.txt').write_text(f'{NOTICE}\n{text}\n')
    print(f'{name}: {len(words)} words')


def main() -> None:
    """Read WordNet and write the three lists."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('wordnet', type=Path)
    folder = parser.parse_args().wordnet
    nouns, adjectives = read_senses(folder, 'noun'), read_senses(folder, 'adj')
    adverbs, counts, clip = read_senses(folder, 'adv'), read_counts(folder), clip_words()
    counted = {word for word, _, _ in counts}
    usual = clip | counted
    named = things(nouns, counts, usual) - set(adverbs)
    plain_nouns = {word for word in nouns if _is_plain(word) and word in clip}
    plain_adjectives = {word for word in adjectives if _is_plain(word) and word in usual}
    write('things', named)
    write('nouns', plain_nouns - named)
    write('adjectives', plain_adjectives - plain_nouns - named)


if __name__ == '__main__':
    main()
