# SPDX-License-Identifier: Apache-2.0
"""The words the semantic scorer is trained on: what names an object, and what names nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vidplan_core.language.instruction import noun_phrase
from vidplan_core.language.open_clip_model import open_clip_module

# Beside the phrases that come with the kinds of objects.
SYNONYMS: dict[str, tuple[str, ...]] = {
    'robot': ('robot', 'robot arm', 'white robot', 'arm', 'robot base'),
    'gripper': ('robot gripper', 'gripper', 'robot hand', 'hand', 'robot fingers'),
    'bowl': ('bowl', 'blue bowl', 'round bowl', 'empty bowl', 'dish'),
    'carrot': ('long carrot', 'vegetable carrot'),
    'pea': ('green ball', 'round pea'),
    'measuring tape': ('yellow tape measure', 'black measuring tape', 'tape'),
    'towel': ('cloth', 'pink cloth', 'striped towel'),
    'mug': ('cup', 'coffee mug', 'coffee cup', 'white mug', 'purple mug'),
    'lobster': ('red toy lobster',),
    'penguin': ('black penguin',),
    'banana': ('curved banana',),
    'apple': ('apple fruit',),
    'soup can': ('can', 'tin can', 'red soup can', 'tin of soup'),
    'lemon': ('lemon fruit',),
    'eggplant': ('aubergine', 'purple aubergine'),
    'puzzle cube': ('cube', 'toy cube', 'rubiks cube'),
}
NEGATIVES = ('object', 'things', 'stuff', 'texture', 'table', 'robot')
TEMPLATES = ('{}', 'a {}', 'the {}', 'a photo of a {}', 'a picture of the {}', 'one {}')
ADJECTIVES = ('small', 'little', 'big', 'nice', 'shiny', 'old', 'new', 'plain', 'left', 'other')
_CAPTIONS = ('{}', 'a photo of {}', '{} on the table', 'a table with {}', 'a robot and {}')


@dataclass(frozen=True)
class PhraseBook:
    """Phrases of each segment, and the words that name none of them.

    Attributes:
        names: segment names, 'background' first.
        phrases: of each segment except the background.
        unknown_words: words of the tokenizer's vocabulary that occur in no phrase.
        fragments: pieces of words, to make words up.
    """

    names: tuple[str, ...]
    phrases: dict[str, tuple[str, ...]]
    unknown_words: tuple[str, ...]
    fragments: tuple[str, ...]

    def known(self, rng: np.random.Generator) -> list[str]:
        """Return one sentence for each segment but the background, in order."""
        return [
            _in_sentence(_pick(rng, self.phrases[name]), rng, self.unknown_words)
            for name in self.names[1:]
        ]

    def unknown(self, rng: np.random.Generator, count: int) -> list[str]:
        """Return sentences that name nothing that is ever in view."""
        return [_in_template(self._unknown_phrase(rng), rng) for _ in range(count)]

    def caption(self, rng: np.random.Generator, visible: Sequence[str]) -> tuple[str, set[str]]:
        """Return a caption of one to three of the visible things, and which it names."""
        count = min(len(visible), int(rng.integers(1, 4)))
        named = [visible[i] for i in rng.permutation(len(visible))[:count]]
        nouns = ' and '.join(f'a {_pick(rng, self.phrases[name])}' for name in named)
        return _pick(rng, _CAPTIONS).format(nouns or 'nothing'), set(named)

    def _unknown_phrase(self, rng: np.random.Generator) -> str:
        choice = rng.random()
        if choice < 0.5:
            return _pick(rng, self.unknown_words)
        if choice < 0.65:
            return f'{_pick(rng, self.unknown_words)} {_pick(rng, self.unknown_words)}'
        if choice < 0.75:
            return f'{_pick(rng, ADJECTIVES)} {_pick(rng, self.unknown_words)}'
        if choice < 0.85:  # the last noun decides: a carrot peeler is no carrot
            name = self.names[int(rng.integers(1, len(self.names)))]
            return f'{self.phrases[name][0]} {_pick(rng, self.unknown_words)}'
        made_up = ''.join(_pick(rng, self.fragments) for _ in range(2))
        return made_up + _pick(rng, self.unknown_words)


def phrase_book(names: Sequence[str], described: Mapping[str, Sequence[str]]) -> PhraseBook:
    """Build the book of a data set.

    Args:
        names: segment names, 'background' first.
        described: phrases of each kind of object; segments that are not objects may be absent.

    Raises:
        ValueError: a segment has no phrase.
    """
    phrases = {}
    for name in names[1:]:
        given = [noun_phrase(phrase) for phrase in described.get(name, ())]
        phrases[name] = tuple(dict.fromkeys([*given, *SYNONYMS.get(name, ())]))
        if not phrases[name]:
            raise ValueError(f"segment '{name}' has no phrase")
    taken = {
        word for texts in (*phrases.values(), NEGATIVES) for text in texts for word in text.split()
    }
    return PhraseBook(tuple(names), phrases, *_vocabulary(taken))


def _vocabulary(taken: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return whole words and word beginnings of open_clip's tokenizer, without `taken`."""
    taken = taken | set(ADJECTIVES) | {'photo', 'picture', 'the', 'one', 'and', 'with'}
    taken |= {f'{word}s' for word in taken}
    entries = open_clip_module().tokenizer.SimpleTokenizer().encoder
    plain = [entry for entry in entries if entry.removesuffix('</w>').isascii()]
    words = [entry.removesuffix('</w>') for entry in plain if entry.endswith('</w>')]
    starts = [entry for entry in plain if not entry.endswith('</w>')]
    return (
        tuple(word for word in words if word.isalpha() and len(word) > 2 and word not in taken),
        tuple(start for start in starts if start.isalpha() and 1 < len(start) < 5),
    )


def _in_sentence(phrase: str, rng: np.random.Generator, unknown_words: Sequence[str]) -> str:
    """Return the phrase in a sentence, at times behind an adjective that changes nothing."""
    choice = rng.random()
    if choice < 0.2:
        phrase = f'{_pick(rng, ADJECTIVES)} {phrase}'
    elif choice < 0.3:
        phrase = f'{_pick(rng, unknown_words)} {phrase}'
    return _in_template(phrase, rng)


def _in_template(phrase: str, rng: np.random.Generator) -> str:
    return phrase if rng.random() < 0.5 else _pick(rng, TEMPLATES).format(phrase)


def _pick(rng: np.random.Generator, items: Sequence[str]) -> str:
    return items[int(rng.integers(len(items)))]
