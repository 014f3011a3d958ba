# SPDX-License-Identifier: Apache-2.0
"""Names of objects: what may be part of one, and what is refused with its reason.

    name      article* modifier* thing [with|of name]
    modifier  adjectives first, then nouns; colours anywhere

Every word must be known in its place, so that nothing of a sentence ends up in a name.
"""

from __future__ import annotations

import itertools
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


def object_name(text: str, role: str, named: frozenset[str] | None = frozenset()) -> str:
    """Return the name of one object: lower case, no articles, adjectives kept.

    `role` names the phrase in messages. `named` are words that are taken as they are, unknown or
    not; None for all.

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
    _refuse_second_article(sentence.split())
    if named is not None:
        head, *inner = _INNER.split(one or phrase)
        _refuse_unknown(head.split(), named | (lexicon.HOLDERS if inner else set()))
        for part in inner:
            _refuse_unknown(part.split(), named | lexicon.MARKS)
    return phrase


def _refuse_second_article(words: Sequence[str]) -> None:
    """Refuse articles within a name: they begin another one."""
    for before, word in itertools.pairwise(words):
        opens = before in lexicon.ARTICLES or before in ('with', 'of', 'and', 'or')
        if word in lexicon.ARTICLES and not opens:
            raise UnclearError(f"'{' '.join(words)}' is more than one name; name a single object")


def _check_parts(phrase: str, role: str) -> None:
    """Check the head of a name and what it has or holds."""
    head, *inner = _INNER.split(phrase)
    if ' of ' in f' {phrase} ' and not (inner and head.split()[-1:] and _holds(head)):
        raise UnclearError(f"'{phrase}' is part of something; name the whole object")
    _refuse_choosing(head.split())
    for part in (head, *inner):
        _refuse_words(part.split(), phrase)
    _refuse_no_object(head.split(), phrase)
    if ' with ' in phrase and not set(inner[-1].split()[-1:]) <= lexicon.MARKS:
        raise UnclearError(f"'{phrase}' says what with; name the object alone")
    _refuse_plural(head, role)


def _holds(head: str) -> bool:
    return head.split()[-1] in lexicon.HOLDERS


# What would be right in the place of words that choose.
_RIGHT = {
    'place': "'the left mug', 'the mug on the right' and 'the mug behind the bowl' are understood",
    'order': "say from which side: 'the second mug from the left'",
    'comparison': 'say what it looks like, such as its colour, or where it is: "the left mug"',
}


def _refuse_choosing(words: Sequence[str]) -> None:
    """Refuse what chooses by place, order or size in another way than `choice.py` knows."""
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
                f"'{found[0]}' chooses among objects by {kind}, which is not understood here; "
                f'{_RIGHT[kind]}'
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
    return len(word) > 4 and word.endswith('est') and not is_thing(word)


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
    if head in lexicon.PARTS:
        raise UnclearError(f"'{phrase}' is part of something; name the whole object")


def _refuse_unknown(words: Sequence[str], named: frozenset[str]) -> None:
    """Refuse words that are not known in their place, those in `named` aside."""
    *modifiers, head = words
    body = lexicon.ROBOT_PARTS | lexicon.PERSONS
    toy = head in body and lexicon.TOYS & set(modifiers)
    if head not in named and not is_thing(head) and not toy:
        raise UnclearError(
            f"'{head}' is no object that is known; to look for it as it is written, put it in "
            'quotation marks'
        )
    for pair in itertools.pairwise(words):
        if len(set(pair)) == 1 or any(set(pair) <= alike for alike in lexicon.ALIKE):
            raise UnclearError(f"'{' '.join(words)}' is more than one name; name a single object")
    after_noun = False
    for word in modifiers:
        noun = word in named or _is_noun(word)
        adjective = _is_adjective(word)
        if word.endswith('ing') and after_noun:  # the bottle standing ...
            noun = False
        if not noun and (not adjective or after_noun):
            raise UnclearError(f"'{word}' is not understood in the name '{' '.join(words)}'")
        after_noun = after_noun or not adjective


def is_thing(word: str) -> bool:
    """Whether a word names a thing, or some: bottle, tea-bag, beans, shoebox."""
    if _known(word, lexicon.THINGS):
        return True
    if word in lexicon.NOUNS or word in lexicon.ADJECTIVES:
        return False
    halves = [(word[:cut], word[cut:]) for cut in range(3, len(word) - 2)]
    if word.count('-') == 1:
        halves = [(word.partition('-')[0], word.partition('-')[2])]
    return any(
        first in lexicon.FIRST_HALVES and second in lexicon.LAST_HALVES for first, second in halves
    )


def _is_noun(word: str) -> bool:
    return is_thing(word) or _known(word, lexicon.NOUNS)


def _is_adjective(word: str) -> bool:
    if word in lexicon.ADJECTIVES or word.endswith('ed') and len(word) > 4:
        return True
    return '-' in word and all(_is_adjective(part) or _is_noun(part) for part in word.split('-'))


def _known(word: str, listed: frozenset[str]) -> bool:
    """Whether a word is listed, in the singular or not."""
    if word in lexicon.POSSESSIVES:
        return True
    return bool({word, word.removesuffix('s'), word.removesuffix('es')} & listed)


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
