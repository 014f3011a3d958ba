# SPDX-License-Identifier: Apache-2.0
"""The conformal bound covers as often as it promises, whatever the predictor."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidplan_core.errors import ConfigError, ModelError
from vidplan_core.heads.conformal import (
    CONFORMAL_FILE,
    LowerBound,
    calibrate,
    load_bound,
    save_bound,
    shortfall,
)


def episodes(rng: np.random.Generator, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Over-optimistic predictions whose errors are the same for all frames of an episode."""
    pairs = []
    for _ in range(count):
        true = rng.uniform(0.0, 1.0, 4)
        error = 0.15 + 0.2 * rng.standard_t(3) + 0.02 * rng.standard_normal(4)
        pairs.append((np.clip(true + error, 0.0, 1.0), true))
    return pairs


@pytest.mark.parametrize(('alpha', 'count'), [(0.1, 39), (0.2, 100), (0.5, 7)])
def test_coverage_is_what_was_promised(alpha: float, count: int) -> None:
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(600):
        fitted = calibrate([shortfall(*pair) for pair in episodes(rng, count)], alpha)
        for predicted, true in episodes(rng, 4):
            lower = fitted.of(torch.from_numpy(predicted)).numpy()
            covered.append(bool((lower <= true + 1e-12).all()))
    rate = float(np.mean(covered))
    # At least 1 - alpha (2400 draws: standard error below 0.011), and not much more than
    # 1 - alpha + 1 / (n + 1); clipped predictions may add a little.
    assert rate >= 1.0 - alpha - 0.03
    assert rate <= 1.0 - alpha + 1.0 / (count + 1) + 0.05


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_the_margin_leaves_few_shortfalls_above_it(values: list[float], alpha: float) -> None:
    margin = calibrate(values, alpha).margin
    rank = int(np.ceil((len(values) + 1) * (1 - alpha)))
    below = sum(value <= margin for value in values)
    assert below >= min(rank, len(values))
    if rank > len(values):
        assert margin == 1.0
    else:
        assert margin in values


def test_too_few_episodes_bound_nothing() -> None:
    bound = calibrate([0.1, -0.2, 0.0], alpha=0.1)
    assert bound.margin == 1.0
    assert bound.of(torch.tensor([0.2, 1.0])).tolist() == [0.0, 0.0]
    assert calibrate([], alpha=0.1).margin == 1.0


def test_an_episode_counts_by_its_worst_frame() -> None:
    assert shortfall([0.5, 0.9], [0.6, 0.5]) == pytest.approx(0.4)
    with pytest.raises(ValueError, match='as many'):
        shortfall([0.5], [0.5, 0.6])


@pytest.mark.parametrize('alpha', [0.0, 1.0, -0.1])
def test_impossible_alphas_are_named(alpha: float) -> None:
    with pytest.raises(ConfigError, match='alpha'):
        calibrate([0.1], alpha)
    with pytest.raises(ValueError, match='finite'):
        calibrate([float('nan')])


def test_a_bound_survives_disk(tmp_path: Path) -> None:
    bound = LowerBound(0.1, 0.23, 57)
    assert load_bound(tmp_path) is None
    assert load_bound(save_bound(tmp_path, bound).parent) == bound


@pytest.mark.parametrize(
    'text', ['nonsense', '{}', '[]', json.dumps({'alpha': 2.0, 'margin': 0.1, 'episodes': 3})]
)
def test_broken_bounds_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / CONFORMAL_FILE).write_text(text)
    with pytest.raises(ModelError, match=CONFORMAL_FILE):
        load_bound(tmp_path)
