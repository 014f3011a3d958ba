# SPDX-License-Identifier: Apache-2.0
"""Words that choose among things of one name by where they are: 'the left mug'.

    [second] X from the left      left|right|front|back|middle|nearest|farthest X
    X on the left                 X behind|in front of|left of|right of|next to|nearest to Y

What they mean is decided by where things are seen (`planner/target/choosing.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ORDINALS = {
    word: number
    for number, words in enumerate(('first 1st', 'second 2nd', 'third 3rd', 'fourth 4th'), 1)
    for word in words.split()
}
_SIDES = {
    'left': 'left leftmost left-most left-hand',
    'right': 'right rightmost right-most right-hand',
    'front': 'front',
    'back': 'back rear',
    'middle': 'middle center centre',
    'near': 'nearest closest',
    'far': 'farthest furthest',
}
_WHERE = {word: side for side, words in _SIDES.items() for word in words.split()}
# Of several words, as one: what is a preposition in them says nothing of a destination.
_TABLE = r'(?: of the (?:table|desk|counter|workspace))'
_SIDE = r'(left|right)(?:[ -]hand)?(?: side)?'
_ENDS = r'(?=$| (?:and|then|in|into|inside|on|onto|to|up|over)\b)'  # no name of it follows
_JOINED = tuple(
    (re.compile(rf'\b{pattern}(?= |$)'), word)
    for pattern, word in (
        (rf'(?:on|at) the (?:far )?{_SIDE}{_TABLE}', r'on-the-\1'),
        (rf'(?:on|at) the {_SIDE} of', r'\1-of'),
        (rf'to the {_SIDE} of', r'to-the-\1-of'),
        (r'(left|right) of', r'\1-of'),
        (rf'(?:on|at) the (?:far )?{_SIDE}{_TABLE}?{_ENDS}', r'on-the-\1'),
        (rf'(?:in|at) the (front|back|middle|cent(?:er|re)){_TABLE}?{_ENDS}', r'in-the-\1'),
        (r'in front of', 'in-front-of'),
        (r'(next|close) to', r'\1-to'),
        (r'(nearest|closest) to', r'\1-to'),
        (r'(farthest|furthest) from', r'\1-from'),
        (r'from the (left|right|front|back)(?: side)?', r'from-the-\1'),
    )
)
_RELATION = {
    'behind': 'back',
    'in-front-of': 'front',
    'left-of': 'left',
    'to-the-left-of': 'left',
    'right-of': 'right',
    'to-the-right-of': 'right',
    'next-to': 'beside',
    'close-to': 'beside',
    'beside': 'beside',
    'near': 'beside',
    'nearest-to': 'near',
    'closest-to': 'near',
    'nearest': 'near',
    'closest': 'near',
    'farthest-from': 'far',
    'furthest-from': 'far',
}
_ARTICLE = r'(?:(?:the|that|this|my|your|our) )?'
_ONLY_ARTICLE = re.compile(r'^(?:the|a|an|that|this|my|your|our)$')
_WHICH_IS = r"(?: (?P<marked>that is|that's|thats|which is|standing|lying|sitting))?"
_COUNTED = re.compile(
    rf'^{_ARTICLE}(?P<number>{"|".join(ORDINALS)}) (?P<name>.+) from-the-(?P<side>\w+)$'
)
_RELATED = re.compile(
    rf'^(?P<name>.+?){_WHICH_IS} (?P<relation>{"|".join(_RELATION)}) (?P<other>.+)$'
)
_STANDING = re.compile(rf'^(?P<name>.+?){_WHICH_IS} (?:on|in)-the-(?P<side>\w+)$')
_BEFORE = re.compile(rf'^{_ARTICLE}(?P<side>{"|".join(_WHERE)}) (?P<name>.+)$')
_TOKEN = re.compile(
    r'\b(?:(?:to-the-)?(?:left|right)-of|(?:on|in|from)-the-\w+|in-front-of|(?:next|close)-to'
    r'|(?:nearest|closest)-to|(?:farthest|furthest)-from)\b'
)
# Whose place is known without looking.
_HAND = re.compile(r'^(?:you|(?:the |your )?(?:robot )?(?:robot|gripper|hand|arm|tool))$')


@dataclass(frozen=True)
class PlaceChoice:
    """Which of several things of one name is meant.

    Attributes:
        by: 'left', 'right', 'front', 'back', 'middle', 'near', 'far' or 'beside'.
        other: name of the thing that it stands so to; '' for the order among themselves, where
            `near` and `far` are measured from the tool.
        number: in that order, from 1.
    """

    by: str
    other: str = ''
    number: int = 1

    def __str__(self) -> str:
        """In few words: 'left 2' is the second from the left, 'back bowl' behind the bowl."""
        last = self.other or (str(self.number) if self.number > 1 else '')
        return f'{self.by} {last}'.strip()


@dataclass(frozen=True)
class ChosenWords:
    """A phrase without the words that choose.

    Attributes:
        name: the rest.
        choice: what they mean; None where none choose. `other` is as it was written.
        loose: whether they might belong to the next part of the sentence just as well.
    """

    name: str
    choice: PlaceChoice | None = None
    loose: bool = False


def joined(sentence: str) -> str:
    """Return a sentence with the words of a relation as one, `next-to`."""
    for pattern, word in _JOINED:
        sentence = pattern.sub(word, sentence)
    return sentence


def parted(words: str) -> str:
    """Undo `joined`, for messages."""
    return _TOKEN.sub(lambda found: found[0].replace('-', ' '), words)


def chosen_words(phrase: str) -> ChosenWords:
    """Tell the words of a joined phrase that choose from its name."""
    if match := _COUNTED.match(phrase):
        choice = PlaceChoice(_WHERE[match['side']], number=ORDINALS[match['number']])
        return ChosenWords(match['name'], choice)
    if (match := _RELATED.match(phrase)) and not _ONLY_ARTICLE.match(match['name']):
        return _related(match)
    if (match := _STANDING.match(phrase)) and match['side'] in _WHERE:
        return ChosenWords(match['name'], PlaceChoice(_WHERE[match['side']]))
    if match := _BEFORE.match(phrase):
        return ChosenWords(match['name'], PlaceChoice(_WHERE[match['side']]))
    return ChosenWords(phrase)


def _related(match: re.Match[str]) -> ChosenWords:
    by, other = _RELATION[match['relation']], match['other']
    if by in ('near', 'far') and _HAND.match(other):
        return ChosenWords(match['name'], PlaceChoice(by))
    return ChosenWords(match['name'], PlaceChoice(by, other), loose=match['marked'] is None)
