# SPDX-License-Identifier: Apache-2.0
"""Names of objects: what may be part of one, and what is refused with its reason."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vidplan_core.errors import InstructionError
from vidplan_core.language import lexicon
from vidplan_core.language.sentences import UnclearError, normalise

MAX_PHRASE_WORDS = 6
MAX_WORD_CHARACTERS = 30

_COLOUR = (
    r'(?:black|white|gr[ae]y|silver|red|orange|yellow|green|blue|purple|pink|brown|golden|beige)'
)
_TWO_COLOURS = re.compile(rf'\b{_COLOUR} and {_COLOUR} ')
# A bare number, or the name of a field or an axis with one: 'e4', 'x2'.
_NUMBER = re.compile(r'[a-z]?[\d-]+')
# 'touch the mug with the spoon'; a part of the mug would be 'with a handle'.
_INSTRUMENT = re.compile(r' with (?:the|your|my|its|this|that) ')
# A thing with a part or a content of its own keeps one name: 'mug with a handle', 'can of soup'.
_INNER = re.compile(r' (?:with|of) ')


def object_name(text: str, role: str) -> str:
    """Return the name of one object: lower case, no articles, adjectives kept.

    `role` names the phrase in messages.

    Raises:
        UnclearError: no noun is left, or words that are no part of a name.
        InstructionError: several objects, or a name that is far too long.
    """
    sentence = normalise(text)
    words = [word for word in sentence.split() if word not in lexicon.ARTICLES]
    phrase = ' '.join(words)
    if not any(character.isalpha() for character in phrase):
        raise UnclearError(f'the {role} has no noun; name one object')
    if set(words) <= lexicon.PRONOUNS | lexicon.GENERIC:
        raise UnclearError(f"'{phrase}' names no object; say which one")
    if set(words) <= lexicon.DIRECTIONS:
        raise UnclearError(f"'{phrase}' is a direction; name an object")
    if _INSTRUMENT.search(f' {sentence}'):
        raise UnclearError(f"'{sentence}' says what with; name the object alone")
    one = _TWO_COLOURS.sub('', f'{phrase} ').strip()
    if {'and', 'or', 'then'} & set(one.split()):
        raise InstructionError(f"'{phrase}' is more than one {role}; name a single object")
    _refuse_long(words, role)
    _check_parts(one or phrase, role)
    return phrase


def _check_parts(phrase: str, role: str) -> None:
    """Check the head of a name and what it has or holds."""
    head, *inner = _INNER.split(phrase)
    if ' of ' in f' {phrase} ' and not (inner and head.split()[-1:] and _holds(head)):
        raise UnclearError(f"'{phrase}' is part of something; name the whole object")
    _refuse_choosing(head.split())
    for part in (head, *inner):
        _refuse_words(part.split(), phrase)
    _refuse_no_object(head.split(), phrase)
    if any(part.split() and part.split()[-1] in lexicon.ROBOT_PARTS for part in inner):
        raise UnclearError(f"'{phrase}' says how to hold it; name the object alone")
    _refuse_plural(head, role)


def _holds(head: str) -> bool:
    return head.split()[-1] in lexicon.HOLDERS


def _refuse_choosing(words: Sequence[str]) -> None:
    """Refuse what chooses by place, order or size: several of a name cannot be told apart yet."""
    for kind, known in (
        ('place', lexicon.POSITIONS),
        ('order', lexicon.ORDINALS),
        ('comparison', lexicon.COMPARISONS),
    ):
        found = [word for word in words if known & {word, *word.split('-')}]
        if kind == 'comparison':
            found += [word for word in words if _superlative(word)]
        if found:
            raise UnclearError(
                f"'{found[0]}' chooses among objects by {kind}, which is not understood; say what "
                'it looks like, such as its colour'
            )


def _refuse_words(words: Sequence[str], phrase: str) -> None:
    for place, word in enumerate(words):
        last = place == len(words) - 1
        if word in lexicon.STATES and not last or word in ('pick', 'place') and last and place:
            continue
        if word in lexicon.QUANTITIES or _NUMBER.fullmatch(word):
            raise UnclearError(f"'{word}' is a number or a measure; name one object, without it")
        if word in lexicon.NEVER_IN_A_NAME | lexicon.PRONOUNS or _adverb(word):
            raise UnclearError(f"'{word}' is not understood in the name '{phrase}'")


def _superlative(word: str) -> bool:
    return len(word) > 4 and word.endswith('est') and word not in lexicon.NOUNS_IN_EST


def _adverb(word: str) -> bool:
    return len(word) > 4 and word.endswith('ly') and word not in lexicon.NOUNS_IN_LY


def _refuse_no_object(words: Sequence[str], phrase: str) -> None:
    if not words or words[-1] in lexicon.NO_NOUN:
        raise UnclearError(f"'{phrase}' has no noun; name one object")
    head, described = words[-1], set(words[:-1])
    if head in lexicon.ROBOT_PARTS and not described & lexicon.TOYS:
        raise UnclearError(f"'{phrase}' is a part of the robot; name an object")
    if head in lexicon.SURFACES and not described & lexicon.TOYS:
        raise UnclearError(f"'{phrase}' is a surface, no object; name an object")


def _refuse_plural(head: str, role: str) -> None:
    word = head.split()[-1]
    plural = len(word) > 3 and word.endswith('s') and not word.endswith(('ss', 'us', 'is'))
    if plural and word not in lexicon.PLURAL_NAMES:
        raise UnclearError(f"'{head}' are several; name a single {role}")


def _refuse_long(words: Sequence[str], role: str) -> None:
    if len(words) > MAX_PHRASE_WORDS:
        raise InstructionError(
            f'the {role} has {len(words)} words, at most {MAX_PHRASE_WORDS} are read: '
            f"'{' '.join(words)}'"
        )
    if max(map(len, words)) > MAX_WORD_CHARACTERS:
        raise InstructionError(f'the {role} has a word longer than {MAX_WORD_CHARACTERS} letters')
