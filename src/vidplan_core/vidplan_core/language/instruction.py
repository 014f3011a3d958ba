# SPDX-License-Identifier: Apache-2.0
"""A small grammar from a written instruction to the noun phrase that is looked for.

One object per instruction, one of three verbs:

    reach   move to | go to | reach (for) | touch | approach X
    pick    pick up | grab | take | lift X
    place   put | place | drop | move X  in | into | on | onto | to  Y

Adjectives stay with their noun ('the red apple'), politeness and articles go.
Anything else is refused with a message that says what would be right: a robot must not guess.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from vidplan_core.errors import InstructionError

REACH = 'reach'
PICK = 'pick'
PLACE = 'place'

MAX_CHARACTERS = 200
MAX_PHRASE_WORDS = 6
MAX_WORD_CHARACTERS = 30

# What messages give as right, unless the caller knows what else can be done.
EXAMPLES = ('move to the carrot',)

_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_POLITE_START = re.compile(
    r'^(?:(?:hey|hi|hello|ok|okay|now|then|please|kindly|just|robot|vidplan)\s+'
    r'|(?:can|could|would|will) you\s+'
    r'|(?:i want|i would like|id like|i need) you to\s+'
    r'|(?:you should|you must|try to|go and|go ahead and)\s+)+'
)
_POLITE_END = re.compile(
    r'(?:\s+(?:please|now|thanks|thank you|for me|for us|robot|right away|if you can))+$'
)
_ARTICLES = frozenset(
    ['a', 'an', 'the', 'this', 'that', 'these', 'those', 'some', 'one']
    + ['my', 'your', 'our', 'his', 'her', 'its']
)
_PRONOUNS = frozenset(
    ['it', 'them', 'him', 'there', 'here', 'thing', 'something', 'anything', 'everything']
)
_DIRECTIONS = frozenset(
    ['left', 'right', 'up', 'down', 'forward', 'forwards', 'back', 'backward', 'backwards']
)
_NEGATIONS = frozenset(['not', "don't", 'dont', 'never', 'without', 'no', 'nor', 'nothing'])
_COLOUR = (
    r'(?:black|white|gr[ae]y|silver|red|orange|yellow|green|blue|purple|pink|brown|golden|beige)'
)
_TWO_COLOURS = re.compile(rf'\b{_COLOUR} and {_COLOUR} ')
_PREPOSITIONS = (
    (re.compile(r'\bin to\b'), 'into'),
    (re.compile(r'\b(?:on to|on top of)\b'), 'onto'),
    (re.compile(r'\binside of\b'), 'inside'),
)

_HAND = r'(?:(?:the |your |its )?(?:robot )?(?:gripper|hand|arm|fingers|tool) )?'
_TO = r'(?:over |back |up |down |out )?(?:to|towards?|near|above|over)'
_IN = r'(?:down |back )?(?:into|onto|inside|in|on|to)'

# Tried in order; the first that matches the whole instruction decides. Greedy targets make the
# *last* preposition the one that names the destination.
_RULES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (verb, re.compile(rf'^{pattern}$'))
    for verb, pattern in (
        (REACH, rf'(?:move|go|drive|come|travel|bring) {_HAND}{_TO} (?P<target>.+)'),
        (REACH, r'(?:reach out for|reach for|reach to|reach|touch|approach) (?P<target>.+)'),
        (
            PLACE,
            r'(?:pick up|pick|grab|grasp|take|lift|get) (?P<target>.+?) (?:up )?and (?:then )?'
            rf'(?:put|place|drop|move|bring|set) (?:it|them) {_IN} (?P<destination>.+)',
        ),
        (
            PLACE,
            r'(?:put down|put|place|drop|set down|set|insert|lay) '
            rf'(?P<target>.+) {_IN} (?P<destination>.+)',
        ),
        (
            PLACE,
            r'(?:move|bring|carry|take|transfer) (?P<target>.+) '
            rf'{_IN} (?P<destination>.+)',
        ),
        (PICK, r'(?:pick up|lift up|pick|grab|grasp|lift|take|get) (?P<target>.+?)(?: up)?'),
    )
)
_NEEDS_DESTINATION = re.compile(
    r'^(?:put|place|drop|set|insert|lay|move|bring|carry|transfer) (?P<target>.+)'
)
# What follows one of these says where the object is now, and is no part of its name.
_WHEREABOUTS = re.compile(
    r'\s+(?:next to|close to|in front of|onto|on|in|inside|from|at|near|beside|behind|under'
    r'|below|above|by|over|that is|thats|which is|to the (?:left|right))\s+.*$'
)
# 'next to', 'in front of', 'to the left of', 'beside': places that no plan here can mean.
_OTHER_RELATION = re.compile(
    r'\b(?:next|close|near|beside|under|below|behind|between)\b'
    r'|\b(?:front|left|right|back|side|middle|edge) of\b'
)


@dataclass(frozen=True)
class Instruction:
    """What to do, to which object and, for `place`, where.

    `verb` is 'reach', 'pick' or 'place'; `target` and `destination` are noun phrases in lower
    case without articles. `destination` is None unless the verb is 'place'. `words` are the whole
    instruction as it was given, for a world model that reads it.
    """

    verb: str
    target: str
    destination: str | None = None
    words: str = field(default='', compare=False)


class _UnclearError(Exception):
    """Something that an example makes clear."""


def parse_instruction(text: str, examples: Sequence[str] = EXAMPLES) -> Instruction:
    """Return what `text` asks for.

    Args:
        text: the words.
        examples: of right instructions, at least one, for messages.

    Raises:
        InstructionError: the text is empty, too long, negated, or not of the grammar above; the
            message says what would be right.
    """
    try:
        return replace(_parse(text), words=text.strip())
    except _UnclearError as error:
        raise InstructionError(f'{error}, {_such_as(examples)}') from None


def noun_phrase(
    text: str, role: str = 'target', examples: Sequence[str] = EXAMPLES
) -> str:
    """Return the name of one object: lower case, no articles, adjectives kept.

    `role` names the phrase in messages; `examples` as for `parse_instruction`.

    Raises:
        InstructionError: no noun is left, it is a pronoun, a direction, a list or far too long.
    """
    try:
        return _noun_phrase(text, role)
    except _UnclearError as error:
        raise InstructionError(f'{error}, {_such_as(examples)}') from None


def _such_as(examples: Sequence[str]) -> str:
    quoted = [f"'{example}'" for example in examples]
    return 'for example ' + ' or '.join(filter(None, (', '.join(quoted[:-1]), quoted[-1])))


def _parse(text: str) -> Instruction:
    sentence = _POLITE_END.sub('', _POLITE_START.sub('', _normalise(text)))
    _refuse_negation(sentence)
    for verb, rule in _RULES:
        match = rule.match(sentence)
        if match:
            return _instruction(verb, **match.groupdict())
    raise _unmatched(sentence)


def _noun_phrase(text: str, role: str) -> str:
    words = [word for word in _name(text).split() if word not in _ARTICLES]
    phrase = ' '.join(words)
    if not any(character.isalpha() for character in phrase):
        raise _UnclearError(f'the {role} has no noun; name one object')
    if set(words) <= _PRONOUNS:
        raise _UnclearError(f"'{phrase}' names no object; say which one")
    if set(words) <= _DIRECTIONS:
        raise _UnclearError(f"'{phrase}' is a direction; name an object")
    if {'and', 'or', 'then'} & set(_TWO_COLOURS.sub('', phrase).split()):
        raise InstructionError(f"'{phrase}' is more than one {role}; name a single object")
    _refuse_long(words, role)
    return phrase


def _name(text: str) -> str:
    return _WHEREABOUTS.sub('', _normalise(text))


def _instruction(verb: str, target: str, destination: str | None = None) -> Instruction:
    if destination is None:
        return Instruction(verb, _noun_phrase(target, 'target'))
    if target.endswith((' next', ' close')) or _OTHER_RELATION.search(destination):
        raise _other_relation(f'{target} ... {destination}')
    return Instruction(
        verb, _noun_phrase(target, 'target'), _noun_phrase(destination, 'destination')
    )


def _normalise(text: str) -> str:
    """Return lower-case words with single spaces between them."""
    if not isinstance(text, str):
        raise _UnclearError(f'an instruction is text, not {type(text).__name__}')
    if len(text) > MAX_CHARACTERS:
        raise InstructionError(
            f'the instruction has {len(text)} characters, at most {MAX_CHARACTERS} are read; '
            'name one object in one short sentence'
        )
    plain = unicodedata.normalize('NFKC', text).replace('\u2019', "'").casefold()
    words = _WORD.findall(plain)
    if not words:
        raise _UnclearError('the instruction has no words')
    sentence = ' '.join(words)
    for spelling, preposition in _PREPOSITIONS:
        sentence = spelling.sub(preposition, sentence)
    return sentence


def _refuse_negation(sentence: str) -> None:
    words = set(sentence.split())
    if words & _NEGATIONS:
        raise _UnclearError(f"'{sentence}' says what should not be done; say what should be")
    if words & {'stop', 'cancel', 'halt', 'abort'}:
        raise InstructionError(f"'{sentence}' is no task: cancel the goal to stop the arm")


def _refuse_long(words: Sequence[str], role: str) -> None:
    if len(words) > MAX_PHRASE_WORDS:
        raise InstructionError(
            f'the {role} has {len(words)} words, at most {MAX_PHRASE_WORDS} are read: '
            f"'{' '.join(words)}'"
        )
    if max(map(len, words)) > MAX_WORD_CHARACTERS:
        raise InstructionError(f'the {role} has a word longer than {MAX_WORD_CHARACTERS} letters')


def _other_relation(words: str) -> _UnclearError:
    return _UnclearError(
        f"'{words}': a destination is 'in', 'into', 'on', 'onto' or 'to' another object"
    )


def _unmatched(sentence: str) -> _UnclearError:
    if _OTHER_RELATION.search(sentence):
        return _other_relation(sentence)
    match = _NEEDS_DESTINATION.match(sentence)
    if match:
        return _UnclearError(f"'{sentence}' does not say where to")
    return _UnclearError(f"'{sentence}' is no instruction that is understood")
