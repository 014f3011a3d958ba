# SPDX-License-Identifier: Apache-2.0
"""The way of a thing that is pushed: where it goes, what is refused, what low fingers carry."""

from __future__ import annotations

import numpy as np
import pytest

from vidplan_core.errors import InstructionError
from vidplan_core.language.instruction import WAYS
from vidplan_core.planner.tasks.pushing.way import HEADINGS, TOUCH_M, PushWay, carried, way_from

HERE = np.array([0.5, 0.0])


def test_ways_are_as_the_robot_sees_them() -> None:
    assert list(HEADINGS) == list(WAYS)
    goals = {way: tuple(np.round(way_from(HERE, way, 'mug').goal - HERE, 6)) for way in WAYS}
    assert goals == {'left': (0, 0.1), 'right': (0, -0.1), 'away': (0.1, 0), 'closer': (-0.1, 0)}


@pytest.mark.parametrize(
    ('place', 'way', 'says'),
    [
        ((0.5, 0.27), 'left', 'could go 6 cm before the workspace ends'),
        ((0.31, 0.0), 'closer', 'could go 0 cm'),
        ((0.41, 0.0), 'away', 'hand cannot go behind it'),
        ((0.66, 0.0), 'closer', 'hand cannot go behind it'),
    ],
)
def test_what_has_no_room_is_refused(place: tuple[float, float], way: str, says: str) -> None:
    with pytest.raises(InstructionError, match=f'the mug .*{says}'):
        way_from(np.array(place), way, 'mug')


def test_moved_is_told_along_and_aside() -> None:
    way = PushWay(HERE, np.array([0.0, -1.0]))
    assert way.moved(HERE + [0.02, -0.07]) == pytest.approx((0.07, 0.02))
    assert way.heading(HERE) == pytest.approx([0.0, -1.0])
    assert way.heading(HERE + [0.1, 0.0]) == pytest.approx([-np.sqrt(0.5), -np.sqrt(0.5)])


@pytest.mark.parametrize(
    ('start', 'end', 'height', 'goes'),
    [
        ((-0.1, 0.0), (0.02, 0.0), 0.02, 0.02 + TOUCH_M),
        ((-0.1, 0.0), (-0.06, 0.0), 0.02, 0.0),  # not there yet
        ((-0.1, 0.0), (0.02, 0.0), 0.15, 0.0),  # over it
        ((-0.1, 0.06), (0.02, 0.06), 0.02, 0.0),  # beside it
        ((0.1, 0.0), (0.2, 0.0), 0.02, 0.0),  # away from it
    ],
)
def test_low_fingers_carry_what_they_meet(
    start: tuple[float, float], end: tuple[float, float], height: float, goes: float
) -> None:
    path = np.linspace([*HERE + start, height], [*HERE + end, height], 5)
    assert carried(path, HERE) == pytest.approx(HERE + [goes, 0.0])
