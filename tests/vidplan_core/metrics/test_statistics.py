# SPDX-License-Identifier: Apache-2.0
"""Intervals against scipy's own and against known coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from vidplan_core.metrics.intervals import (
    bootstrap_interval,
    exact_interval,
    latency_summary,
    percentile,
)


@pytest.mark.parametrize(
    ('successes', 'trials'), [(0, 1), (1, 1), (0, 50), (50, 50), (41, 50), (15, 20), (137, 200)]
)
@pytest.mark.parametrize('confidence', [0.9, 0.95])
def test_exact_interval_is_scipys(successes, trials, confidence):
    oracle = binomtest(successes, trials).proportion_ci(confidence, method='exact')
    assert exact_interval(successes, trials, confidence) == pytest.approx(
        (oracle.low, oracle.high), abs=1e-9
    )


def test_no_trials_say_nothing():
    assert exact_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(('successes', 'trials'), [(3, 2), (-1, 5)])
def test_impossible_counts_are_refused(successes, trials):
    with pytest.raises(ValueError, match='successes'):
        exact_interval(successes, trials)


def test_bootstrap_matches_the_normal_interval_of_a_mean():
    values = np.random.default_rng(3).normal(5.0, 2.0, 400)
    low, high = bootstrap_interval(values, seed=1)
    half = 1.96 * values.std(ddof=1) / math.sqrt(values.size)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)


def test_bootstrap_is_seeded_and_ignores_nan():
    values = [1.0, 2.0, float('nan'), 4.0]
    assert bootstrap_interval(values, seed=5) == bootstrap_interval([1.0, 2.0, 4.0], seed=5)
    assert all(math.isnan(bound) for bound in bootstrap_interval([]))


def test_percentiles():
    assert percentile([], 50.0) is None
    assert latency_summary([0.1, 0.2, 0.3]) == {
        'p50_s': pytest.approx(0.2),
        'p99_s': pytest.approx(0.298),
    }
