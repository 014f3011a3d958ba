# SPDX-License-Identifier: Apache-2.0
"""Instructions that push: which way, what is refused, and what was done in the end."""

from __future__ import annotations

import pytest

from vidplan_core.errors import InstructionError
from vidplan_core.language.deeds import deed_words
from vidplan_core.language.instruction import WAYS, parse_instruction


@pytest.mark.parametrize(
    ('words', 'target', 'way'),
    [
        ('push the soup can to the left', 'soup can', 'left'),
        ('Please gently push the red apple to your right side', 'red apple', 'right'),
        ('push the can left', 'can', 'left'),
        ('nudge the pea a bit to the right', 'pea', 'right'),
        ('slide the mug away from you', 'mug', 'away'),
        ('push the mug forward', 'mug', 'away'),
        ('push the lemon towards you', 'lemon', 'closer'),
        ('push the tape back', 'tape', 'closer'),
        ('push the mug on the table closer', 'mug', 'closer'),
        ('push the left mug away', 'mug', 'away'),
        ('push the mug next to the bowl closer', 'mug', 'closer'),
    ],
)
def test_reads(words: str, target: str, way: str) -> None:
    found = parse_instruction(words)
    assert (found.verb, found.target, found.way) == ('push', target, way)


@pytest.mark.parametrize(
    ('words', 'says'),
    [
        ('push the mug', "which way: things are pushed 'to the left', 'to the right', 'away'"),
        ('push the mug to the bowl', 'which way'),
        ('push the mug into the bowl', 'which way'),
        ('push the mug off the table', 'which way'),
        ('push the mug to the left of the bowl', 'destination'),
        ('push it left', 'names no object'),
        ('push the gripper left', 'part of the robot'),
        ('push the mug 5 cm to the left', 'number'),
        ('push the mug and the can left', 'more than one'),
        ('push the left mug to the right', 'told by the pictures'),
        ('pull the mug closer', 'no instruction'),
        ('push', 'no instruction'),
    ],
)
def test_refuses(words: str, says: str) -> None:
    with pytest.raises(InstructionError, match=says):
        parse_instruction(words)


@pytest.mark.parametrize('way', WAYS)
def test_every_way_is_read_and_told(way: str) -> None:
    words = f'push the mug {WAYS[way]}'
    assert parse_instruction(words).way == way
    assert deed_words(words) == words.replace('push', 'pushed')
