# SPDX-License-Identifier: Apache-2.0
"""A small grammar from a written instruction to the noun phrase that is looked for.

One object per instruction, one of five verbs:

    reach   move to | go to | reach (for) | touch | approach X
    pick    pick up | grab | take | lift X
    place   put | place | drop | move X  in | into | on | onto | to  Y
    fold    fold X (in half)
    push    push | slide | nudge | shove X  to the left | to the right | away | closer

Adjectives stay with their noun ('the red apple'); politeness, articles and adverbs go, and so does
the table that everything stands on. What chooses by place ('the left mug') is told apart, see
`choice.py`. Robot parts, surfaces, numbers and anything else is refused with a message that says
what would be right: a robot must not guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from vidplan_core.errors import InstructionError
from vidplan_core.language.choice import PlaceChoice, chosen_words, joined, parted
from vidplan_core.language.lexicon import PAIRED, SURFACES
from vidplan_core.language.names import object_name
from vidplan_core.language.sentences import UnclearError, plain_sentence, quoted_words

T = TypeVar('T')

REACH = 'reach'
PICK = 'pick'
PLACE = 'place'
FOLD = 'fold'
PUSH = 'push'

# Where things are pushed, as the robot sees it, and the words that say so.
WAYS = {'left': 'to the left', 'right': 'to the right', 'away': 'away', 'closer': 'closer'}

# What messages give as right, unless the caller knows what else can be done.
EXAMPLES = ('move to the carrot',)

_HAND = r'(?:(?:the |your |its )?(?:robot )?(?:gripper|hand|arm|fingers|tool|end-effector) )'
_TO = (
    r'(?:over |back |up |down |out |close |closer )?(?:to|towards?|near|above|over|close-to)'
)
_IN = r'(?:down |back )?(?:into|onto|inside|in|on|to)'
_MOVE = (
    '(?:put|place|drop|move|bring|set|lay|deposit|insert|transfer|carry|position|rest|stow|pop)'
)

_YOU = r'(?:you|yourself|(?:the |your )?(?:robot|base))'
_WAY = (
    r'(?:a bit |a little |over |straight )?'
    r'(?:(?P<left>(?:to|towards?) (?:the |your )left(?: side)?|(?<!the )left(?:wards?)?)'
    r'|(?P<right>(?:to|towards?) (?:the |your )right(?: side)?|(?<!the )right(?:wards?)?)'
    rf'|(?P<away>(?:farther |further )?away(?: from {_YOU})?|forwards?|(?:farther|further) back)'
    rf'|(?P<closer>(?:back |closer |nearer |over )?(?:to|towards?) {_YOU}|closer|nearer'
    r'|back(?:wards?)?))'
)

# Tried in order; the first that matches the whole instruction decides. Greedy targets make the
# *last* preposition the one that names the destination.
_RULES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (verb, re.compile(rf'^{pattern}$'))
    for verb, pattern in (
        (
            PICK,
            rf'(?:move|go|reach) {_TO} (?P<target>.+?) and (?:then )?'
            r'(?:pick it up|pick up it|grab it|lift it|lift it up|grasp it|take it)',
        ),
        (PICK, r'(?:go|come) (?:and )?(?:grab|get|take|fetch) (?P<target>.+)'),
        (REACH, rf'(?:(?:move|drive) {_HAND}?|(?:go|come|travel|head) ){_TO} (?P<target>.+)'),
        (REACH, rf'(?:bring|get) {_HAND}{_TO} (?P<target>.+)'),
        (REACH, r'get (?:(?:closer|near|over) to|near|close-to) (?P<target>.+)'),
        (REACH, rf'(?:put|place|hold) {_HAND}(?:above|over|near) (?P<target>.+)'),
        (REACH, rf'(?:hover|position) {_HAND}?(?:above|over|near) (?P<target>.+)'),
        (
            REACH,
            r'(?:reach(?: out| over)? (?:for|towards?|to)|reach|touch|approach)'
            r' (?P<target>.+)',
        ),
        (
            PLACE,
            r'(?:pick up|pick|grab|grasp|take|lift|get|fetch) (?P<picked>.+?) (?:up )?'
            rf'(?:and )?(?:then )?{_MOVE} (?:(?:it|them) )?{_IN} (?P<destination>.+)',
        ),
        (PLACE, rf'(?:put down|set down|{_MOVE}|add) (?P<target>.+) {_IN} (?P<destination>.+)'),
        (
            PLACE,
            r'(?:take|return|relocate|store|deliver) (?P<target>.+) '
            rf'{_IN} (?P<destination>.+)',
        ),
        (FOLD, r'fold (?:up |over )?(?P<target>.+?)(?: up| over| together)?(?: in (?:half|two))?'),
        (PUSH, rf'(?:push|slide|nudge|shove) (?P<target>.+?) {_WAY}'),
        (
            PICK,
            r'(?:pick up|lift up|pick|grab|grasp|lift|take|get|fetch|collect|retrieve) '
            r'(?P<target>.+?)(?: up)?',
        ),
    )
)
# Other ways to fold than in half.
_OTHER_FOLD = re.compile(
    r'^fold .* (?:in|into) (?:thirds?|quarters?|three|four|eighths?|an? .*|the shape .*)$'
    r'|^fold .* (?:twice|diagonally|three times)$'
)
# Nothing is taken by a robot that takes care.
_IDIOM = re.compile(
    r'^(?:(?:take|grab|have|get) (?:a |an |the |your |some )?(?:seat|bite|cover|hint)'
    r'|take (?:a |an |the |your )?(?:break|picture|photo|care|turn|time|note|seat|look|step|nap'
    r'|walk|shower|ride|guess|bow|chance|shot|stand|hike|message|load off)'
    r'|get (?:ready|rid|set|going|started|lost|up|down|out|away|back))\b'
)
# 'set the mug down on the coaster', 'put the lid back on the jar'
_PARTICLE = re.compile(r' (?:down|back)$')
_NEEDS_DESTINATION = re.compile(
    r'^(?:put|place|drop|set|insert|lay|move|bring|carry|transfer) (?P<target>.+)'
)
_NEEDS_WAY = re.compile(r'^(?:push|slide|nudge|shove) .')
# Everything stands on the table: to say so chooses nothing.
_ON_THE_TABLE = re.compile(
    r' (?:that is |thats |that\'s |which is |lying |standing |sitting |placed )?'
    r'(?:on|onto|from|off) (?:of )?(?:the |this |your |my |our )?'
    rf'(?:{"|".join(sorted(SURFACES))})'
    r'(?=$| (?:and|then|in|into|inside|on|onto|to|towards?|away|closer|up|over)\b)'
)
# 'next to', 'in front of', 'to the left of', 'beside': places that no plan here can mean.
_OTHER_RELATION = re.compile(
    r'(?<!is )\b(?:next|close|near|beside|under|below|behind|between|underneath|beneath)\b'
    r'|\b(?:front|left|right|back|side|middle|edge)[ -]of\b'
)
# 'take the mug to the left of the bowl' may say which, or where to.
_TAKEN_SOMEWHERE = re.compile(r'^take .* to-the-(?:left|right)-of ')


@dataclass(frozen=True)
class Instruction:
    """What to do, to which object and, for `place`, where.

    `verb` is 'reach', 'pick', 'place', 'fold' or 'push'; `target` and `destination` are noun
    phrases in lower case without articles. `destination` is None unless the verb is 'place', `way`
    unless it is 'push': a key of `WAYS`. `which` and
    `which_destination` choose among several of these names; None where none is said. `words` are
    the whole instruction as it was given, for a world model that reads it; `left_out` are words
    that say how, which the robot chooses itself.
    """

    verb: str
    target: str
    destination: str | None = None
    words: str = field(default='', compare=False)
    left_out: tuple[str, ...] = field(default=(), compare=False)
    which: PlaceChoice | None = None
    which_destination: PlaceChoice | None = None
    way: str | None = None

    @property
    def by_place(self) -> bool:
        """Whether where things are seen decides which are meant."""
        return self.which is not None or self.which_destination is not None


def parse_instruction(text: str, examples: Sequence[str] = EXAMPLES) -> Instruction:
    """Return what `text` asks for.

    Args:
        text: the words.
        examples: of right instructions, at least one, for messages.

    Raises:
        InstructionError: the text is empty, too long, negated, or not of the grammar above; the
            message says what would be right.
    """
    return _explained(lambda: replace(_parse(text), words=text.strip()), examples)


def noun_phrase(text: str, role: str = 'target', examples: Sequence[str] = EXAMPLES) -> str:
    """Return the name of one object: lower case, no articles, adjectives kept.

    `role` names the phrase in messages; `examples` as for `parse_instruction`.

    Raises:
        InstructionError: no noun is left, it is a pronoun, a direction, a part of the robot, a
            list or far too long.
    """
    return _explained(lambda: object_name(text, role, None), examples)


def _explained(read: Callable[[], T], examples: Sequence[str]) -> T:
    """Read, and say with what is not clear what would be right."""
    try:
        return read()
    except UnclearError as error:
        quoted = [f"'{example}'" for example in examples]
        listed = ' or '.join(filter(None, (', '.join(quoted[:-1]), quoted[-1])))
        raise InstructionError(f'{parted(str(error))}, for example {listed}') from None


def _parse(text: str) -> Instruction:
    found, named = plain_sentence(text), quoted_words(text)
    words = joined(found.words)
    standing = _ON_THE_TABLE.sub('', words)
    if standing != words:
        try:
            return replace(_matched(standing, named), left_out=found.left_out)
        except UnclearError:
            pass  # the table was the destination
    return replace(_matched(words, named), left_out=found.left_out)


def _matched(sentence: str, named: frozenset[str]) -> Instruction:
    if _IDIOM.match(sentence):
        raise UnclearError(f"'{sentence}' is no instruction that is understood")
    if _OTHER_FOLD.match(sentence):
        raise UnclearError(f"'{sentence}': things are folded in half and in no other way")
    if _TAKEN_SOMEWHERE.match(sentence):
        raise _other_relation(sentence)
    for verb, rule in _RULES:
        match = rule.match(sentence)
        if match:
            groups = match.groupdict()
            ways = [way for way in WAYS if groups.pop(way, None)]
            found = _instruction(verb, named, **groups)
            return _pushed(found, ways[0]) if ways else found
    raise _unmatched(sentence)


def _instruction(
    verb: str,
    named: frozenset[str],
    target: str = '',
    destination: str | None = None,
    picked: str = '',
) -> Instruction:
    """`picked` is a target that a clause of its own names: what follows it belongs to it."""
    if destination is None:
        name, which = _named(target, 'target', named)
        return Instruction(verb, name, which=which)
    if target.endswith((' next', ' close')) or _OTHER_RELATION.search(destination):
        raise _other_relation(f'{target or picked} ... {destination}')
    name, which = _named(_PARTICLE.sub('', target or picked), 'target', named, bool(picked))
    place, which_place = _named(destination, 'destination', named, apart=False)
    if (place, which_place) == (name, which):
        raise UnclearError(f"'{name}' is both what is moved and where to; say which of several")
    return Instruction(verb, name, place, which=which, which_destination=which_place)


def _pushed(instruction: Instruction, way: str) -> Instruction:
    """The instruction with its way; sides of pictures and of the robot do not go together."""
    sides = ('left', 'right')
    if way in sides and instruction.which is not None and instruction.which.by in sides:
        raise UnclearError(
            f"'the {instruction.which.by} {instruction.target}' is told by the pictures and "
            f"'{WAYS[way]}' by the robot, which looks the other way; say which in another way"
        )
    return replace(instruction, way=way)


def _named(
    phrase: str, role: str, named: frozenset[str], apart: bool = True
) -> tuple[str, PlaceChoice | None]:
    """A name, and which of several is meant; `apart` from a destination that might be meant."""
    found = chosen_words(phrase)
    if found.choice is None:
        return object_name(phrase, role, named), None
    if found.loose and not apart:
        raise UnclearError(
            f"'{phrase}' may be the {role} or say where to; say which: 'the mug that is behind "
            "the bowl'"
        )
    name = object_name(found.name, role, named)
    if name.split()[-1] in PAIRED and found.choice.by in ('left', 'right'):
        raise UnclearError(f"'{phrase}' may be the one of a pair or the one on that side")
    if not found.choice.other:
        return name, found.choice
    other = object_name(found.choice.other, 'thing beside it', named)
    return name, replace(found.choice, other=other)


def _other_relation(words: str) -> UnclearError:
    return UnclearError(
        f"'{words}': a destination is 'in', 'into', 'on', 'onto' or 'to' another object"
    )


def _unmatched(sentence: str) -> UnclearError:
    if _OTHER_RELATION.search(sentence):
        return _other_relation(sentence)
    if _NEEDS_WAY.match(sentence):
        said = "', '".join(WAYS.values())
        return UnclearError(f"'{sentence}' does not say which way: things are pushed '{said}'")
    match = _NEEDS_DESTINATION.match(sentence)
    if match:
        return UnclearError(f"'{sentence}' does not say where to")
    return UnclearError(f"'{sentence}' is no instruction that is understood")
