# SPDX-License-Identifier: Apache-2.0
"""The arc of a fold, and the half that it leaves of an outline."""

from __future__ import annotations

import numpy as np
import pytest

from vidplan_core.planner.tasks.folding.halves import folded, overlap_with_half
from vidplan_core.planner.tasks.folding.way import SHORT_M, FoldWay

WAY = FoldWay(np.array([0.6, 0.1]), np.array([0.4, -0.1]))


def square(step_m: float = 0.003, sides: tuple[float, float] = (0.2, 0.2)) -> np.ndarray:
    """Points of the square whose diagonal WAY folds, or of a rectangle in its place."""
    axes = [np.arange(0.5 * step_m, side, step_m) - 0.5 * side for side in sides]
    flat = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    return flat + [0.5, 0.0]


def test_the_arc_leads_from_the_grasp_to_the_release_and_knows_where_it_is() -> None:
    angles = np.linspace(0.0, np.pi, 7)
    arc = WAY.arc(angles)
    np.testing.assert_allclose(arc[0], WAY.grasp, atol=1e-9)
    np.testing.assert_allclose(arc[-1], WAY.release, atol=1e-9)
    np.testing.assert_allclose(WAY.angle(arc)[1:-1], angles[1:-1], atol=0.02)
    assert arc[3, 2] == max(arc[:, 2])


def test_the_corner_comes_down_short_of_the_other() -> None:
    grasped = np.linalg.norm(WAY.tip - WAY.grasp[:2])
    landed = WAY.release[:2] - grasped * WAY.toward
    np.testing.assert_allclose(landed, WAY.far + SHORT_M * WAY.toward, atol=1e-9)


@pytest.mark.parametrize('near', [-3.0, -0.5, 0.0, 1.0, 3.1])
@pytest.mark.parametrize('home', [0.0, -0.75 * np.pi])
def test_the_fingers_close_across_the_diagonal(near: float, home: float) -> None:
    yaw = WAY.yaw(near, home)
    along = abs(float(np.dot([np.cos(yaw), np.sin(yaw)], WAY.toward)))
    assert along == pytest.approx(1.0)
    assert abs(yaw - home) <= np.pi / 2 + 0.2


def test_a_square_folded_so_is_the_half_and_a_flat_one_is_not() -> None:
    assert overlap_with_half(square(), WAY) == pytest.approx(0.5, abs=0.05)
    half = folded(square(), WAY)
    assert overlap_with_half(half, WAY) > 0.9
    assert overlap_with_half(half + [0.02, -0.01], WAY) > 0.9  # dragged along a little


def test_what_is_no_square_does_not_become_a_half() -> None:
    assert overlap_with_half(folded(square(sides=(0.2, 0.1)), WAY), WAY) < 0.75


def test_nothing_seen_is_no_half() -> None:
    assert overlap_with_half(np.zeros((0, 2)), WAY) == 0.0
