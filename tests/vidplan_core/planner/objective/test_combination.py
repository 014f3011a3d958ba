# SPDX-License-Identifier: Apache-2.0
"""Doubt never raises a score; trust, pooling and the best frame do what their formulas say."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vidplan_core.planner.objective.combination import (
    Doubt,
    believed,
    best_frame,
    over_views,
    pool_uncertainty,
    region_weights,
)

UNIT = st.floats(0.0, 1.0)
ANY = st.floats(-50.0, 50.0)
DOUBTS = st.builds(Doubt, UNIT, st.floats(0.0, 30.0), st.floats(0.0, 10.0))


def double(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


@given(DOUBTS, UNIT, UNIT, ANY, ANY)
def test_more_doubt_never_makes_a_score_believed_higher(
    doubt: Doubt, first: float, second: float, prior: float, evidence: float
) -> None:
    low, high = sorted((first, second))
    sure, unsure = (
        believed(double(prior), double(evidence), doubt.trust(double(h)))
        - doubt.penalty(double(h))
        for h in (low, high)
    )
    assert unsure <= sure + 1e-12


@given(DOUBTS, ANY, ANY, st.floats(0.0, 1.0))
def test_what_is_fully_trusted_is_believed_as_it_is(
    doubt: Doubt, prior: float, evidence: float, share: float
) -> None:
    usual = double(share * doubt.usual)
    assert doubt.penalty(usual) == 0.0
    seen = believed(double(prior), double(evidence), doubt.trust(usual))
    assert float(seen) == pytest.approx(evidence, abs=1e-9)


def test_bad_news_counts_however_doubtful_and_good_news_less() -> None:
    trust = double(0.25)
    assert believed(double(-1.0), double(-3.0), trust) == -3.0
    assert believed(double(-3.0), double(-1.0), trust) == -2.5


def test_trust_is_the_stated_exponential() -> None:
    doubt = Doubt(usual=0.2, discount=5.0, weight=2.0)
    assert float(doubt.trust(double(0.5))) == pytest.approx(math.exp(-1.5))
    assert float(doubt.penalty(double(0.5))) == pytest.approx(0.6)


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


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=5), st.floats(0.01, 2.0))
def test_the_soft_maximum_lies_below_the_maximum(values: list[float], softness: float) -> None:
    scores = torch.tensor([values], dtype=torch.float64)
    hard, frame = best_frame(scores)
    soft, same = best_frame(scores, softness)
    assert float(hard) == max(values)
    assert int(frame) == int(same)
    assert float(hard) - softness * math.log(len(values)) - 1e-9 <= float(soft)
    assert float(soft) <= float(hard) + 1e-9
