# SPDX-License-Identifier: Apache-2.0
"""The margin is chosen on one half of the episodes and judged on the other."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from vidplan_training.evaluation.value.conformal import calibrated, one_each


def test_coverage_is_measured_on_other_episodes() -> None:
    rng = np.random.default_rng(0)
    shortfalls = rng.normal(0.0, 0.2, 2000)
    bound, result = calibrated(shortfalls, 0.1, seed=1)
    assert result['calibration_episodes'] == result['test_episodes'] == bound.episodes == 1000
    # The 90th percentile of the normal distribution, and its share of the other half.
    assert bound.margin == pytest.approx(0.2 * 1.2816, abs=0.03)
    assert result['coverage'] == pytest.approx(0.9, abs=0.03)
    low, high = result['interval_95']['coverage']
    assert low < result['coverage'] < high
    with pytest.raises(ValueError, match='needs 4'):
        calibrated(shortfalls[:3], 0.1, seed=1)


def test_every_episode_counts_once() -> None:
    class Episodes:
        def __len__(self) -> int:
            return 7

        def draw(self, rng: np.random.Generator, ahead: int) -> SimpleNamespace:
            return SimpleNamespace(episode=int(rng.integers(7)), present=int(rng.integers(9)))

    drawn = one_each(Episodes(), np.random.default_rng(0), 4)
    assert [draw.episode for draw in drawn] == list(range(7))
    again = one_each(Episodes(), np.random.default_rng(0), 4)
    assert drawn == again
