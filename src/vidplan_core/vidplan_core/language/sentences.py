# SPDX-License-Identifier: Apache-2.0
"""From text as people write it to one plain sentence: lower case, no politeness, no adverbs."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from vidplan_core.errors import InstructionError
from vidplan_core.language.lexicon import (
    ADVERBS,
    ADVERBS_ALONE,
    DEGREES,
    MANNERS,
    NEGATIONS,
    RELATIONS,
    STOPPING,
)

MAX_CHARACTERS = 200

_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
# What may stand between words without meaning one; ' - ' parts as a comma does.
_PLAIN = re.compile(r'[^\w\s.,!?;\'"\u201c\u201d-]|_')
_DASH = re.compile(r'\s(?:-+|[\u2013\u2014])\s')
# A full stop between digits is no end of a sentence.
_SENTENCE_END = re.compile(r'[.!?;\n\r]+(?=\s|$)|[;\n\r]+')
_POLITE_START = re.compile(
    r'^(?:(?:hey|hi|hello|ok|okay|now|then|please|kindly|just|robot|vidplan|alright|well|so|first'
    r'|next|after that|afterwards|finally)'
    r'\b\s*'
    r'|(?:can|could|would|will) you (?:please |kindly |just )?(?:go and |go ahead and )?'
    r"|(?:i want|i would like|i'd like|id like|i need) you to\s+"
    r'|(?:you should|you must|you need to|you can|try to|go and|go ahead and|your task is to'
    r'|the task is to|i need to|let us|lets|let\'s)\s+)+'
)
_POLITE_END = re.compile(
    r'(?:\s*\b(?:(?:please|thanks|thank you) robot|please|now|thanks|thank you|for me|for us'
    r'|right away|if you can|if possible|if you please|will you|would you|okay|ok'
    r'|very much|so much|a lot))+$'
)
_POLITE_ONLY = re.compile(
    r'^(?:thanks|thank you|please|good job|well done|good|great|hello|hi|hey|robot|okay|ok'
    r'|very much|so much|a lot|there|good morning|good robot|nice|cheers|\s)*$'
)
_SPELLINGS = tuple(
    (re.compile(pattern), right)
    for pattern, right in (
        (r'\bpick-?up\b', 'pick up'),
        (r'\bgoto\b', 'go to'),
        (r'\b(?:grab|take|get|catch) (?:a )?hold of\b', 'grab'),
        (r'\bin to\b', 'into'),
        (r'\b(?:on to|on top of|atop)\b', 'onto'),
        (r'\binside of\b', 'inside'),
        (r'\bend effector\b', 'end-effector'),
    )
)
_MANNER = re.compile(rf'\b(?:{"|".join(MANNERS)})\b')
_GOES_ON = re.compile(r'^(?:and|into|onto|in|on) ')
_CARRY_ON = re.compile(
    r'^(?:and |then |after that |afterwards |next )*(?P<rest>(?:put|place|drop|set|move|bring|lay)'
    r' (?:it|them)\b.*|(?:grab|take|grasp|lift) it|(?:pick|lift) it up)$'
)


# What is in quotation marks, unless all is.
_QUOTED = re.compile(r'(?<=.)"([^"]+)"|"([^"]+)"(?=.)')


class UnclearError(Exception):
    """Something that an example makes clear."""


@dataclass(frozen=True)
class PlainText:
    """One sentence in plain words, and what was left out of it.

    `words` are lower case with single spaces; `left_out` are adverbs and manners.
    """

    words: str
    left_out: tuple[str, ...] = ()


def plain_sentence(text: str) -> PlainText:
    """Return the one sentence that a text asks for.

    Raises:
        UnclearError: nothing is said, or what should not be done.
        InstructionError: too long, several tasks, or a wish to stop.
    """
    parts = [part for part in _parts(text) if not _POLITE_ONLY.match(part)]
    if not parts:
        raise UnclearError('the instruction has no words')
    for part in parts:
        _refuse_negation(part)
    parts = _joined(parts)
    if len(parts) > 1:
        raise InstructionError(
            f"'{parts[0]}' and '{parts[1]}' are {len(parts)} tasks; give one at a time"
        )
    return _without_adverbs(parts[0])


def normalise(text: str) -> str:
    """Return lower-case words with single spaces between them, ends of sentences left out."""
    words = _WORD.findall(_checked(text))
    if not words:
        raise UnclearError('the instruction has no words')
    sentence = ' '.join(words)
    for spelling, right in _SPELLINGS:
        sentence = spelling.sub(right, sentence)
    return sentence


def quoted_words(text: str) -> frozenset[str]:
    """Return the words in quotation marks: names that are looked for as they are written."""
    plain = re.sub('[\u201c\u201d]', '"', _checked(text)).strip()
    found = [first or second for first, second in _QUOTED.findall(plain)]
    return frozenset(_WORD.findall(' '.join(found)))


def _checked(text: str) -> str:
    if not isinstance(text, str):
        raise UnclearError(f'an instruction is text, not {type(text).__name__}')
    if len(text) > MAX_CHARACTERS:
        raise InstructionError(
            f'the instruction has {len(text)} characters, at most {MAX_CHARACTERS} are read; '
            'name one object in one short sentence'
        )
    return unicodedata.normalize('NFKC', text).replace('\u2019', "'").casefold()


def _parts(text: str) -> list[str]:
    """Sentences and what stands between commas, each polished."""
    found = []
    plain = _DASH.sub(', ', _checked(text))
    if symbol := _PLAIN.search(plain):
        raise UnclearError(f"'{symbol[0]}' is not understood; write it in words")
    for sentence in _SENTENCE_END.split(plain):
        clauses = [_polished(clause) for clause in sentence.split(',') if _WORD.search(clause)]
        found += _clauses_joined([clause for clause in clauses if clause])
    return found


def _polished(text: str) -> str:
    return _POLITE_END.sub('', _POLITE_START.sub('', normalise(text))).strip()


def _clauses_joined(clauses: list[str]) -> list[str]:
    """Join what commas part within one task: manners, and `and put it ...`."""
    joined: list[str] = []
    for clause in clauses:
        if joined and (_is_manner(clause) or _is_manner(joined[-1]) or _GOES_ON.match(clause)):
            joined[-1] += f' {clause}'
        else:
            joined.append(clause)
    return joined


def _is_manner(clause: str) -> bool:
    return not _without_adverbs(clause).words


def _joined(parts: list[str]) -> list[str]:
    """Join `pick up X` and `put it ...`, which are one task in two sentences."""
    if len(parts) == 2 and (found := _CARRY_ON.match(parts[1])):
        return [f'{parts[0]} and {found["rest"]}']
    return parts


def _without_adverbs(sentence: str) -> PlainText:
    left_out = _MANNER.findall(sentence)
    kept: list[str] = []
    words = _MANNER.sub(' ', sentence).split()
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else ''
        alone = word in ADVERBS_ALONE and (place < 2 and following in RELATIONS or not following)
        between = word == 'and' and bool(left_out) and following in ADVERBS
        if between and words[place - 1] == left_out[-1]:  # 'gently and slowly'
            continue
        if word in ADVERBS or alone:
            while kept and kept[-1] in DEGREES:
                kept.pop()
            left_out.append(word)
        else:
            kept.append(word)
    if left_out and kept and kept[-1] == 'and':  # 'slowly and carefully'
        kept.pop()
    rest = re.sub(r'^(?:and )+', '', ' '.join(kept))
    return PlainText(_POLITE_END.sub('', _POLITE_START.sub('', rest)).strip(), tuple(left_out))


def _refuse_negation(sentence: str) -> None:
    words = set(_MANNER.sub(' ', sentence).split())
    if words & NEGATIONS:
        raise UnclearError(f"'{sentence}' says what should not be done; say what should be")
    if words & STOPPING:
        raise InstructionError(f"'{sentence}' is no task: cancel the goal to stop the arm")
