# SPDX-License-Identifier: Apache-2.0
"""The outline of a cloth: its square, its corners and its area, from points and colours."""

from __future__ import annotations

import numpy as np
import pytest

from vidplan_core.planner.target.outline import (
    alike,
    area_m2,
    corner_tip,
    smallest_square,
)

SIDE_M = 0.2


def covered(yaw: float, middle: tuple[float, float] = (0.5, 0.1)) -> np.ndarray:
    """Points (N, 2) of a square of 20 cm, 4 mm apart."""
    along = np.linspace(-SIDE_M / 2, SIDE_M / 2, 51)
    flat = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)
    c, s = np.cos(yaw), np.sin(yaw)
    points: np.ndarray = flat @ np.array([[c, s], [-s, c]]) + middle
    return points


@pytest.mark.parametrize('yaw', np.linspace(-1.5, 1.5, 7))
def test_a_square_is_found_at_any_turn(yaw: float) -> None:
    points = covered(float(yaw))
    square = smallest_square(points)
    np.testing.assert_allclose(square.centre, [0.5, 0.1], atol=0.002)
    assert square.side_m == pytest.approx(SIDE_M, abs=0.006)
    true = points[[0, 50, -1, -51]]
    apart = np.linalg.norm(square.corners[:, None] - true[None], axis=-1)
    assert apart.min(axis=0).max() < 0.006


def test_a_folded_square_is_uneven_and_covers_half() -> None:
    points = covered(0.4)
    half = points[(points - [0.5, 0.1]) @ [np.cos(0.4), np.sin(0.4)] < 0.0]
    assert smallest_square(half).uneven_m > 0.08
    assert area_m2(half) / area_m2(points) == pytest.approx(0.5, abs=0.08)


def test_few_points_have_no_outline() -> None:
    with pytest.raises(ValueError, match='needs 20 points, got 3'):
        smallest_square(np.zeros((3, 2)))


def test_the_tip_of_a_corner_is_found_from_a_place_beside_it() -> None:
    outward = np.array([1.0, 0.0])
    tip = np.array([0.5 + SIDE_M / np.sqrt(2), 0.1])
    found = corner_tip(covered(np.pi / 4), tip + [-0.015, 0.012], outward)
    assert found is not None
    np.testing.assert_allclose(found, tip, atol=0.004)
    assert corner_tip(covered(0.0), np.array([0.9, 0.9]), outward) is None


def test_pixels_of_the_colour_that_the_map_is_sure_of() -> None:
    image = np.full((40, 60, 3), 0.5)
    image[10:30, 20:50] = [0.9, 0.4, 0.6]
    image[25:30, 20:50] *= 0.7  # in the shade
    image[0:5, 0:10] = [0.1, 0.2, 0.9]
    relevancy = np.full((4, 6), 0.3)
    relevancy[1:3, 3:4] = 0.9
    found = alike(image, relevancy)
    assert found[10:30, 20:50].all()
    assert found.sum() == 20 * 30
