# SPDX-License-Identifier: Apache-2.0
"""The instruction grammar: what it reads, and what it refuses with which words."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vidplan_core.errors import InstructionError
from vidplan_core.language.instruction import Instruction, noun_phrase, parse_instruction

READ = [
    ('move to the carrot', 'reach', 'carrot', None),
    ('go to the red apple', 'reach', 'red apple', None),
    ('Go over to the MEASURING TAPE!', 'reach', 'measuring tape', None),
    ('move towards a mug', 'reach', 'mug', None),
    ('move the gripper to the carrot', 'reach', 'carrot', None),
    ('move your hand over to the fish.', 'reach', 'fish', None),
    ('reach the soup can', 'reach', 'soup can', None),
    ('reach for the soup can', 'reach', 'soup can', None),
    ('touch the penguin', 'reach', 'penguin', None),
    ('approach  the\tlobster', 'reach', 'lobster', None),
    ('move to the carrot on the table', 'reach', 'carrot', None),
    ('pick up the X-ray tube', 'pick', 'x-ray tube', None),
    ('pick the banana up', 'pick', 'banana', None),
    ('grab the black and white penguin', 'pick', 'black and white penguin', None),
    ('grab the towel', 'pick', 'towel', None),
    ('could you please grab the towel for me, thanks?', 'pick', 'towel', None),
    ('pick up the pea from the table', 'pick', 'pea', None),
    ('put the fish in the bowl', 'place', 'fish', 'bowl'),
    ('Place the tiny yellow lemon into the blue bowl', 'place', 'tiny yellow lemon', 'blue bowl'),
    ('drop that pea on to the towel', 'place', 'pea', 'towel'),
    ('put the apple on the table in the bowl', 'place', 'apple', 'bowl'),
    ('put the carrot on top of the towel', 'place', 'carrot', 'towel'),
    ('move the mug to the bowl', 'place', 'mug', 'bowl'),
    ('bring the lobster to the penguin, please', 'place', 'lobster', 'penguin'),
    ('pick up the carrot and put it in the bowl', 'place', 'carrot', 'bowl'),
    ('fold the towel', 'fold', 'towel', None),
    ('Please fold up the pink towel', 'fold', 'pink towel', None),
    ('fold the towel in half, please', 'fold', 'towel', None),
    ('fold the cloth over', 'fold', 'cloth', None),
    ('fold the towel on the table', 'fold', 'towel', None),
    ('Hey robot, please move to the the carrot', 'reach', 'carrot', None),
    ('I want you to touch the mug now', 'reach', 'mug', None),
]

REFUSED = [
    ('pick up the pea from the bowl', "'from' is not understood"),
    ('', 'no words'),
    ('  ?!  ', 'no words'),
    ('move', 'no instruction'),
    ('move to', 'where to'),
    ('move to the', 'no noun'),
    ('pick up', 'no instruction|no noun|names no object|direction'),
    ('carrot', 'no instruction'),
    ('put the carrot', 'where to'),
    ('drop the carrot', "for example 'move to the carrot'$"),
    ('put it in the bowl', 'names no object'),
    ('move to 42', 'no noun'),
    ('move to the left', 'direction'),
    ('move up', 'where to|direction'),
    ("don't move to the carrot", 'should not'),
    ('never touch the mug', 'should not'),
    ('stop moving to the carrot', 'cancel'),
    ('pick up the carrot and the apple', 'more than one'),
    ('put the carrot in the carrot', 'both what is moved and where to'),
    ('put the carrot next to the bowl', "'in'"),
    ('put the carrot in front of the bowl', "'in'"),
    ('put the carrot to the left of the bowl', "'in'"),
    ('put the carrot beside the bowl', "'in'"),
    ('fold', 'no instruction'),
    ('fold it', 'names no object'),
    ('fold the towel in thirds', 'in half'),
    ('fold the towel into a swan', 'in half'),
    ('fold the towel twice', 'in half'),
    ('fold the towel and the cloth', 'more than one'),
    ('sing a song', 'no instruction'),
    ('move to the ' + 'very ' * 7 + 'big carrot', 'at most 6'),
    ('move to the ' + 'a' * 31, 'longer than 30'),
    ('move to the carrot ' * 20, 'characters'),
]


@pytest.mark.parametrize(('text', 'verb', 'target', 'destination'), READ, ids=[r[0] for r in READ])
def test_reads(text: str, verb: str, target: str, destination: str | None) -> None:
    assert parse_instruction(text) == Instruction(verb, target, destination)


@pytest.mark.parametrize(('text', 'says'), REFUSED, ids=[r[0][:30] or 'empty' for r in REFUSED])
def test_refuses_with_a_useful_message(text: str, says: str) -> None:
    with pytest.raises(InstructionError, match=says):
        parse_instruction(text)


def test_messages_give_the_examples_of_what_can_be_done() -> None:
    can = ['move to the carrot', 'pick up the mug', 'put the carrot in the bowl']
    with pytest.raises(InstructionError, match="for example 'move to .*, 'pick .* or 'put the"):
        parse_instruction('drop the carrot', examples=can)
    with pytest.raises(InstructionError, match="a direction; .* for example 'pick up the mug'$"):
        noun_phrase('left', examples=can[1:2])


def test_the_whole_instruction_is_kept_as_it_was_given() -> None:
    assert parse_instruction(' Please touch the MUG! ').words == 'Please touch the MUG!'


@pytest.mark.parametrize('value', [None, 3, b'move to the carrot', ['move', 'to']], ids=repr)
def test_refuses_what_is_not_text(value: object) -> None:
    with pytest.raises(InstructionError, match='is text'):
        parse_instruction(value)  # type: ignore[arg-type]


def test_noun_phrase_of_an_explicit_target() -> None:
    assert noun_phrase('The Red Apple') == 'red apple'
    with pytest.raises(InstructionError):
        noun_phrase('the')


SENTENCE = 'please move go to the put pick up and in it carrot bowl'
WORDS = st.sampled_from([*SENTENCE.split(), "don't", '7', '-', '\n', '', '\x00', 'ß', '\u2019'])


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=250), st.lists(WORDS, max_size=20).map(' '.join)))
@example('put put in in in')
@example('move to \ud800')
def test_nothing_but_an_instruction_or_its_error(text: str) -> None:
    try:
        instruction = parse_instruction(text)
    except InstructionError:
        return
    assert instruction.target.strip()
    assert noun_phrase(instruction.target) == instruction.target  # nothing is left to strip
    assert (instruction.destination is None) == (instruction.verb != 'place')
