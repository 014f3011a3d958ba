# SPDX-License-Identifier: Apache-2.0
"""Streamed means equal those of everything at once, and their intervals cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidplan_core.metrics.intervals import bootstrap_interval
from vidplan_core.metrics.streaming import StreamingMeans, interval_of


def stream(values: np.ndarray, resamples: int = 200) -> StreamingMeans:
    """One array per episode."""
    means = StreamingMeans(values.shape[1:], resamples)
    for episode, array in enumerate(values):
        means.add(array, episode)
    return means


def test_streamed_means_equal_those_of_everything_at_once():
    values = np.random.default_rng(0).normal(size=(20, 3, 4, 2))
    values[3, 1] = np.nan
    values[:, 0, 2, 1] = np.nan
    means = stream(values)
    with np.testing.suppress_warnings() as quiet:
        quiet.filter(RuntimeWarning)  # of the mean of nothing
        np.testing.assert_allclose(means.means()[0], np.nanmean(values, axis=0), atol=1e-12)
    np.testing.assert_allclose(means.means(1, 2)[0], np.nanmean(values, axis=(0, 2, 3)))
    assert np.isnan(means.means()[0, 0, 2, 1])


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(8)), st.integers(1, 7))
def test_order_and_number_of_workers_do_not_matter(order: list[int], cut: int):
    values = np.random.default_rng(0).normal(size=(8, 2))
    whole = stream(values, 50)
    first, second = StreamingMeans((2,), 50), StreamingMeans((2,), 50)
    for place, episode in enumerate(order):
        (first if place < cut else second).add(values[episode], episode)
    first.merge(second)
    np.testing.assert_allclose(first.means(), whole.means(), atol=1e-12)


def test_accumulators_of_another_kind_do_not_merge():
    with pytest.raises(ValueError, match='differ'):
        StreamingMeans((2,), 50).merge(StreamingMeans((2,), 50, seed=1))
    with pytest.raises(ValueError, match=r'shape \(2,\)'):
        StreamingMeans((2,), 50).add(np.zeros(3), 0)


def test_intervals_are_those_of_the_bootstrap_over_episodes():
    values = np.random.default_rng(1).normal(size=200)
    streamed = interval_of(stream(values, 2000).means())
    classic = bootstrap_interval(values)
    # Both ends within a tenth of the interval's width, 0.28.
    np.testing.assert_allclose(streamed, classic, atol=0.03)


def test_clips_of_one_episode_are_drawn_together():
    values = np.repeat(np.random.default_rng(2).normal(size=30), 10)
    together, apart = StreamingMeans((), 1000), StreamingMeans((), 1000)
    for clip, value in enumerate(values):
        together.add(np.array(value), clip // 10)
        apart.add(np.array(value), clip)
    widths = [np.ptp(interval_of(means.means())) for means in (together, apart)]
    assert widths[0] / widths[1] == pytest.approx(10**0.5, rel=0.25)


def test_differences_of_paired_accumulators_are_paired():
    values = np.random.default_rng(3).normal(size=20)
    first, second = stream(values), stream(values - 2.0)
    assert interval_of(first.means() - second.means()) == pytest.approx((2.0, 2.0))


def test_nothing_has_no_interval():
    assert np.isnan(interval_of(StreamingMeans((), 10).means())).all()
