# SPDX-License-Identifier: Apache-2.0
"""Trajectories become set points without a step, or are refused and what was followed goes on."""

from __future__ import annotations

import numpy as np
import pytest

from vidplan_core.control.franka.set_points import SetPoints
from vidplan_core.errors import CommandRejectedError
from vidplan_core.geometry.robot_files import default_robot

ROBOT = default_robot()
HOME, REST = np.array(ROBOT.home), np.zeros(7)


def points() -> SetPoints:
    return SetPoints(HOME, ROBOT.hard_limits)


def test_it_rests_where_it_begins() -> None:
    q, dq, ddq = points().sample(3.0)
    np.testing.assert_array_equal(q, HOME)
    assert not dq.any()
    assert not ddq.any()


def test_a_trajectory_is_joined_without_a_step_and_ends_at_rest() -> None:
    followed = points()
    followed.accept(0.0, [1.0], [HOME + 0.1], [REST], [REST])
    before, just_before = followed.sample(0.4), followed.sample(0.398)[0]
    followed.accept(0.4, [1.5], [HOME - 0.1], [REST], [REST])
    for old, new in zip(before, followed.sample(0.4), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-9)
    np.testing.assert_allclose(followed.sample(0.398)[0], just_before, atol=1e-12)
    assert followed.end_s == 1.5
    np.testing.assert_allclose(followed.sample(1.5)[0], HOME - 0.1)
    path = np.stack([followed.sample(0.4 + 0.001 * k)[0] for k in range(1200)])
    assert np.abs(np.diff(path, 3, axis=0)).max() < 4500 * 1e-9


def test_points_that_are_past_are_left_out() -> None:
    followed = points()
    followed.accept(0.5, [0.1, 0.4, 1.5], [HOME + 0.3, HOME + 0.2, HOME], [REST] * 3, [REST] * 3)
    np.testing.assert_allclose(followed.sample(1.0)[0], HOME, atol=1e-9)


@pytest.mark.parametrize(
    ('times', 'q', 'dq', 'words'),
    [
        ([0.1], [HOME], [REST], 'STALE.* ended 0.900 s ago'),
        ([1.05], [HOME + 0.5], [REST], 'LIMIT.*cannot be joined'),
        ([2.0], [HOME[:6]], [REST], 'WRONG_SIZE.*positions'),
        ([2.0, 1.5], [HOME] * 2, [REST] * 2, 'WRONG_SIZE.*rise'),
        ([2.0], [HOME], [REST + 0.1], 'WRONG_SIZE.*rest'),
        ([2.0], [HOME + np.nan], [REST], 'NONFINITE'),
        ([], np.zeros((0, 7)), np.zeros((0, 7)), 'WRONG_SIZE'),
    ],
)
def test_what_cannot_be_followed_changes_nothing(
    times: list[float], q: list[np.ndarray], dq: list[np.ndarray], words: str
) -> None:
    followed = points()
    followed.accept(0.0, [1.5], [HOME + 0.1], [REST], [REST])
    expected = followed.sample(1.2)[0]
    with pytest.raises(CommandRejectedError, match=words):
        followed.accept(1.0, times, q, dq, np.zeros_like(dq))
    np.testing.assert_array_equal(followed.sample(1.2)[0], expected)
