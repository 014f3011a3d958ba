# SPDX-License-Identifier: Apache-2.0
"""Made cloths: folded exactly, moved, shifted, crumpled and flat."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidplan_eval.suites.fold.halves import FOLDS, Fold, nearest_fold
from vidplan_sim.objects import cloth

places = st.tuples(st.floats(0.3, 0.7), st.floats(-0.3, 0.3), st.floats(-3.2, 3.2))


def made(fold: Fold, x: float = 0.5, y: float = 0.0, yaw: float = 0.0) -> np.ndarray:
    """A cloth (rows, columns, 3) folded exactly, somewhere on the table."""
    square = cloth.flat(0.0, 0.0, 0.0)[..., :2] / cloth.SIDE_M
    folded = cloth.SIDE_M * fold.folded(square)
    c, s = np.cos(yaw), np.sin(yaw)
    placed = folded @ np.array([[c, s], [-s, c]]) + [x, y]
    return np.concatenate([placed, np.full((*placed.shape[:2], 1), 0.003)], axis=-1)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(FOLDS), places)
def test_an_exact_fold_is_one_anywhere_and_at_any_turn(
    fold: Fold, place: tuple[float, float, float]
) -> None:
    found = nearest_fold(made(fold, *place))
    assert found.fold == fold.name
    assert found.corner_error_m < 1e-9
    assert found.overlap > 0.97


@settings(max_examples=15, deadline=None)
@given(places)
def test_a_flat_towel_is_folded_nowhere(place: tuple[float, float, float]) -> None:
    found = nearest_fold(cloth.flat(*place))
    assert found.corner_error_m == pytest.approx(cloth.SIDE_M)
    assert found.overlap < 0.6


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(FOLDS), st.floats(0.0, 0.05))
def test_a_gap_between_corners_is_the_error(fold: Fold, gap_m: float) -> None:
    mesh = made(fold)
    moved = cloth.flat(0.0, 0.0, 0.0)[..., :2] @ np.array(fold.normal) > 1e-9
    mesh[moved] += [0.0, 0.0, gap_m]
    assert nearest_fold(mesh).corner_error_m == pytest.approx(gap_m, abs=1e-9)


@pytest.mark.parametrize('fold', FOLDS)
def test_crumpled_cloth_does_not_cover_its_half(fold: Fold) -> None:
    mesh = made(fold)
    middle = mesh.reshape(-1, 3).mean(0)
    crumpled = middle + 0.7 * (mesh - middle)  # corners still meet
    found = nearest_fold(crumpled)
    assert found.corner_error_m < 1e-9
    assert found.overlap < 0.6


def test_a_quarter_is_no_half() -> None:
    square = cloth.flat(0.0, 0.0, 0.0)
    square[..., :2] = np.abs(square[..., :2])
    assert nearest_fold(square).overlap < 0.6
