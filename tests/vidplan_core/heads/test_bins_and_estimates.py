# SPDX-License-Identifier: Apache-2.0
"""Bins cover their range once; entropy, expectation and quantiles mean what they say."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidplan_core.errors import ConfigError
from vidplan_core.heads.distribution.bins import KINDS, Bins
from vidplan_core.heads.distribution.estimate import (
    ErrorEstimate,
    above,
    entropy,
    expectation,
    interval,
    position,
    quantile,
)


@pytest.mark.parametrize('kind', KINDS)
def test_bins_partition_their_range(kind: str) -> None:
    bins = Bins(kind)
    assert len(bins.edges) == 31
    assert bins.edges[0] == 0.0
    assert bins.edges[-1] == pytest.approx(10.0)
    assert bool((bins.widths > 0).all())
    assert bins.index(bins.means).tolist() == list(range(30))
    assert bins.index(bins.edges[:-1]).tolist() == list(range(30))  # an edge belongs above
    assert bins.index(torch.tensor([0.0, 1e9])).tolist() == [0, 29]


def test_the_papers_bins_are_a_third_wide_and_finer_ones_finer() -> None:
    torch.testing.assert_close(Bins().widths, torch.full((30,), 1 / 3, dtype=torch.float64))
    below_one = {kind: int((Bins(kind).edges < 1.0).sum()) for kind in KINDS}
    assert below_one['uniform'] < below_one['power'] < below_one['log']


@pytest.mark.parametrize('wrong', [{'kind': 'cubic'}, {'count': 1}, {'finest': 20.0}])
def test_impossible_bins_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Bins(**wrong)  # type: ignore[arg-type]


def test_entropy_is_one_for_uniform_and_zero_for_certain() -> None:
    certain = torch.full((30,), -1e4)
    certain[7] = 0.0
    assert entropy(torch.zeros(30), 0).item() == pytest.approx(1.0, abs=1e-6)
    assert entropy(certain, 0).item() == 0.0
    half = torch.full((4,), -1e4).index_fill(0, torch.tensor([0, 2]), 0.0)
    assert entropy(half, 0).item() == pytest.approx(math.log(2) / math.log(4), abs=1e-6)


@given(st.lists(st.floats(-5, 5), min_size=30, max_size=30), st.sampled_from(KINDS))
def test_quantiles_and_positions_are_inverse(values: list[float], kind: str) -> None:
    bins, logits = Bins(kind), torch.tensor(values, dtype=torch.float64)
    for level in (0.05, 0.5, 0.93):
        at = quantile(logits, bins, level, 0)
        assert position(logits, bins, at, 0).item() == pytest.approx(level, abs=1e-6)
        assert above(logits, bins, at, 0).item() == pytest.approx(1.0 - level, abs=1e-6)
    low, high = interval(logits, bins, 0.8, 0)
    assert 0.0 <= low <= high <= 10.0
    assert 0.0 <= expectation(logits, bins, 0).item() <= 10.0


def test_a_quantile_is_a_share() -> None:
    with pytest.raises(ConfigError, match='0 to 1'):
        quantile(torch.zeros(30), Bins(), 1.2, 0)


def test_the_fused_estimate_is_the_plain_one() -> None:
    bins, logits = Bins('power'), torch.randn(2, 4, 30, 3, 5, 4, dtype=torch.float64)
    found = ErrorEstimate.of(logits, bins)
    torch.testing.assert_close(found.entropy, entropy(logits, 2))
    torch.testing.assert_close(found.expected_error, expectation(logits, bins, 2))
    assert found.view_entropy(5).shape == (2, 4, 5)
