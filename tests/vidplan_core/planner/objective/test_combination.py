# SPDX-License-Identifier: Apache-2.0
"""Uncertainty never raises a score; trust and the best frame do what their formulas say."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vidplan_core.planner.objective.combination import (
    UncertaintyPenalty,
    believed,
    best_frame,
    combine,
    discard_doubted,
)

UNIT = st.floats(0.0, 1.0)
ANY = st.floats(-50.0, 50.0)
PENALTIES = st.builds(UncertaintyPenalty, UNIT, st.floats(0.0, 30.0), st.floats(0.0, 10.0))


def double(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


@given(PENALTIES, UNIT, UNIT, ANY, ANY)
def test_more_uncertainty_never_makes_a_term_believed_higher(
    penalty: UncertaintyPenalty, first: float, second: float, prior: float, evidence: float
) -> None:
    low, high = sorted((first, second))
    sure, unsure = (
        believed(double(prior), double(evidence), penalty.trust(double(h)))
        - penalty.penalty(double(h))
        for h in (low, high)
    )
    assert unsure <= sure + 1e-12


@given(PENALTIES, ANY, ANY, st.floats(0.0, 1.0))
def test_what_is_fully_trusted_is_believed_as_it_is(
    penalty: UncertaintyPenalty, prior: float, evidence: float, share: float
) -> None:
    usual = double(share * penalty.usual)
    assert penalty.penalty(usual) == 0.0
    seen = believed(double(prior), double(evidence), penalty.trust(usual))
    assert float(seen) == pytest.approx(evidence, abs=1e-9)


def test_worse_evidence_counts_in_full_and_better_as_far_as_trusted() -> None:
    trust = double(0.25)
    assert believed(double(-1.0), double(-3.0), trust) == -3.0
    assert believed(double(-3.0), double(-1.0), trust) == -2.5


@given(
    PENALTIES,
    st.lists(st.tuples(ANY, ANY, st.floats(-20.0, 20.0)), min_size=1, max_size=6),
    st.lists(UNIT, min_size=2, max_size=2).map(sorted),
)
def test_more_uncertainty_never_raises_a_score_of_any_terms(
    penalty: UncertaintyPenalty, terms: list[tuple[float, float, float]], levels: list[float]
) -> None:
    weighted = [(double(w * prior), double(w * evidence)) for prior, evidence, w in terms]
    sure, unsure = (combine(weighted, double(level), penalty) for level in levels)
    assert unsure <= sure + 1e-9
    plain = combine(weighted, None, penalty)
    assert float(plain) == pytest.approx(sum(w * e for _, e, w in terms), abs=1e-9)
    assert sure <= plain + 1e-9


def test_trust_is_the_stated_exponential() -> None:
    penalty = UncertaintyPenalty(usual=0.2, discount=5.0, weight=2.0)
    assert float(penalty.trust(double(0.5))) == pytest.approx(math.exp(-1.5))
    assert float(penalty.penalty(double(0.5))) == pytest.approx(0.6)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=5), st.floats(0.01, 2.0))
def test_the_soft_maximum_lies_below_the_maximum(values: list[float], softness: float) -> None:
    scores = torch.tensor([values], dtype=torch.float64)
    hard, frame = best_frame(scores)
    soft, same = best_frame(scores, softness)
    assert float(hard) == max(values)
    assert int(frame) == int(same)
    assert float(hard) - softness * math.log(len(values)) - 1e-9 <= float(soft)
    assert float(soft) <= float(hard) + 1e-9


@pytest.mark.parametrize(
    ('uncertainty', 'wanted'),
    [
        ([0.1, 0.9, 0.3], [1.0, -math.inf, 3.0]),
        ([0.9, 0.9, 0.9], [1.0, 2.0, 3.0]),
        (None, [1.0, 2.0, 3.0]),
    ],
    ids=['one doubted', 'all doubted', 'nobody knows'],
)
def test_what_is_doubted_is_left_out_unless_all_is(
    uncertainty: list[float] | None, wanted: list[float]
) -> None:
    evidence = torch.tensor([1.0, 2.0, 3.0])
    known = None if uncertainty is None else torch.tensor(uncertainty)
    penalty = UncertaintyPenalty(usual=0.2, discount=3.0)
    found = discard_doubted([(torch.zeros(3), evidence)], known, penalty)
    assert found.tolist() == wanted
