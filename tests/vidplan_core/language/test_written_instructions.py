# SPDX-License-Identifier: Apache-2.0
"""Instructions as people write them: most are read rightly, and none is silently read wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidplan_core.errors import InstructionError
from vidplan_core.language.choice import PlaceChoice
from vidplan_core.language.instruction import Instruction, parse_instruction
from vidplan_core.language.lexicon import ADJECTIVES, ADVERBS_ALONE
from vidplan_core.language.names import is_thing

Wanted = Instruction | None
PLACED_FLURB = Instruction('place', 'flurb', 'bowl')


def wanted(line: str) -> tuple[str, Wanted]:
    words, _, answer = line.rpartition(' => ')
    if answer.strip() == 'refuse':
        return words, None
    verb, target, destination = (part.strip() for part in (answer + '||').split('|')[:3])
    name, which = named(target)
    if verb == 'push':
        return words, Instruction(verb, name, which=which, way=destination)
    place, which_place = named(destination)
    return words, Instruction(
        verb, name, place or None, which=which, which_destination=which_place
    )


def named(words: str) -> tuple[str, PlaceChoice | None]:
    """A name and, in brackets, which of several."""
    name, bracket, inside = words.partition(' (')
    if not bracket:
        return name, None
    by, _, rest = inside.rstrip(')').partition(' ')
    if rest.isdigit():
        return name, PlaceChoice(by, number=int(rest))
    return name, PlaceChoice(by, rest)


LISTS = ('written_instructions.txt', 'written_later.txt', 'written_by_place.txt')
LINES = [
    line
    for name in LISTS
    for line in Path(__file__).with_name(name).read_text(encoding='utf-8').splitlines()
]
WRITTEN = [wanted(line) for line in LINES if line.strip() and not line.startswith('#')]


def read(words: str) -> Wanted:
    try:
        return parse_instruction(words)
    except InstructionError:
        return None


def test_the_lists_are_long_and_have_no_line_twice() -> None:
    assert len(WRITTEN) >= 1500
    assert len({words for words, _ in WRITTEN}) == len(WRITTEN)


def test_nothing_is_silently_read_wrongly() -> None:
    """What is read is what was meant; what is not understood is refused."""
    wrong = {
        words: got
        for words, meant in WRITTEN
        if (got := read(words)) is not None and got != meant
    }
    assert wrong == {}


def test_at_least_95_percent_are_right() -> None:
    refused = [words for words, meant in WRITTEN if meant is not None and read(words) is None]
    assert len(refused) <= 0.05 * len(WRITTEN), refused


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        ('open the drawer', "'open the drawer' is no instruction"),
        ('pick up the upper mug', "'upper' chooses among objects by place"),
        ('take the second can', "'second' .* by order.* say from which side"),
        ('pick up the biggest apple', "'biggest' chooses among objects by comparison"),
        ('pick up the left shoe', "'the left shoe' may be the one of a pair"),
        ('put the can behind the bowl on the tray', "'the can behind the bowl' may be"),
        ('take the can to the left of the bowl', "'take the can to the left of the bowl': a dest"),
        ('pick up the can behind the table', 'a surface'),
        ('move to the gripper', 'a part of the robot'),
        ('go to the table', 'a surface'),
        ('pick up the blocks', 'several'),
        ('pick up two apples', "'two' is a number"),
        ('grab the cup firmly', "'firmly' is not understood"),
        ('pick up the flurb', "'flurb' is no object that is known; .* quotation marks"),
        ('pick up the flurb mug', "'flurb' is not understood in the name 'flurb mug'"),
        ('pick up the mug rinse the mug', 'more than one name'),
        ('pick up the mug/plate', "'/' is not understood"),
        ('grab the cup handle', 'part of something'),
        ('Put the pen in the cup. Open the box.', '2 tasks'),
    ],
)
def test_what_is_refused_is_named(words: str, said: str) -> None:
    with pytest.raises(InstructionError, match=said):
        parse_instruction(words)


def test_how_a_motion_is_made_is_left_out_aloud() -> None:
    assert parse_instruction('Very carefully move to the mug').left_out == ('carefully',)


def test_no_adjective_is_swallowed_behind_a_name() -> None:
    """What follows a name is refused, whatever it is, unless it names a thing itself."""
    trailing = sorted(word for word in ADJECTIVES - ADVERBS_ALONE if not is_thing(word))
    assert len(trailing) > 5000
    assert [word for word in trailing if read(f'pick up the mug {word}') is not None] == []


def test_what_is_in_quotation_marks_is_looked_for_as_it_is_written() -> None:
    assert parse_instruction('put the "flurb" in the bowl') == PLACED_FLURB
    assert parse_instruction('put the \u201cflurb\u201d in the bowl') == PLACED_FLURB
    with pytest.raises(InstructionError, match='no object that is known'):
        parse_instruction('"put the flurb in the bowl"')
