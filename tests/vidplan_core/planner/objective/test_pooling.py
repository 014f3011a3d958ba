# SPDX-License-Identifier: Apache-2.0
"""Uncertainty is pooled to where the target seems to be, and to the views that place it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidplan_core.planner.objective.uncertainty import (
    over_views,
    pool_uncertainty,
    region_weights,
)

UNIT = st.floats(0.0, 1.0)


@given(st.integers(0, 2**31), UNIT, st.integers(0, 71))
def test_raising_one_latents_uncertainty_never_lowers_what_is_pooled(
    seed: int, more: float, cell: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    uncertainty = torch.rand(1, 3, 6, 4, generator=generator, dtype=torch.float64) * 0.5
    relevancy = torch.rand(1, 2, 6, 8, generator=generator, dtype=torch.float64)
    raised = uncertainty.clone()
    raised.view(-1)[cell] += more * 0.5
    before, after = (pool_uncertainty(u, relevancy) for u in (uncertainty, raised))
    assert before.shape == (1, 2)
    assert (after >= before - 1e-12).all()
    evidence = torch.rand(1, 2, generator=generator, dtype=torch.float64)
    assert (over_views(after, evidence) >= over_views(before, evidence) - 1e-12).all()


def test_a_small_phantom_shows_where_the_target_seems_to_be() -> None:
    uncertainty = torch.full((1, 4, 24, 20), 0.1)
    uncertainty[..., 5:7, 8:10] = 0.9  # in the first of two views
    relevancy = torch.full((1, 2, 12, 20), 0.5)
    relevancy[0, 0, 5:7, 8:10] = 0.95
    relevancy[0, 1, 3, 3] = 0.95
    first, second = pool_uncertainty(uncertainty, relevancy)[0]
    assert first > 0.85
    assert second == pytest.approx(0.1, abs=1e-4)
    assert uncertainty.mean() < 0.12  # which the mean over everything hardly shows


def test_a_map_without_contrast_is_pooled_evenly() -> None:
    uncertainty = torch.rand(1, 2, 6, 4)
    pooled = pool_uncertainty(uncertainty, torch.full((1, 1, 6, 4), 0.5))
    torch.testing.assert_close(pooled, uncertainty.mean((1, 2, 3))[:, None])
    assert torch.isfinite(region_weights(torch.zeros(1, 2, 3))).all()


def test_uncertainty_of_the_view_that_places_the_target_counts() -> None:
    of_views = torch.tensor([0.8, 0.2, 0.2])
    sees = over_views(of_views, torch.tensor([2000.0, 0.0, 0.0]))
    assert float(sees) == pytest.approx(0.8, abs=1e-3)
    blind = over_views(of_views, torch.tensor([0.0, 2000.0, 0.0]))
    assert float(blind) == pytest.approx(0.4, abs=1e-3)  # never below the mean of all
