# SPDX-License-Identifier: Apache-2.0
"""Fingers travel for a while after their command has changed, and only then."""

from __future__ import annotations

import pytest

from vidplan_core.planner.motion.gripper_course import TRAVEL_S, GripperCourse

CYCLE_S = 0.4


@pytest.mark.parametrize(
    ('commands', 'travelling'),
    [
        ([0.0, 0.0, 0.0], [False, False, False]),
        ([1.0, 1.0], [False, False]),  # closed before the task began
        ([0.0, 1.0, 1.0, 1.0], [False, True, False, False]),
        ([0.0, 1.0, 0.0, 0.0], [False, True, True, False]),
        ([0.0, 0.1, 0.2], [False, False, False]),
    ],
)
def test_after_a_change(commands: list[float], travelling: list[bool]) -> None:
    course = GripperCourse()
    found = [course.travelling(c, 10.0 + CYCLE_S * k) for k, c in enumerate(commands)]
    assert found == travelling


def test_as_long_as_the_fingers_need() -> None:
    course = GripperCourse()
    course.travelling(0.0, 0.0)
    assert course.travelling(1.0, TRAVEL_S - 0.01)
    assert not course.travelling(1.0, TRAVEL_S + 0.01)
