# SPDX-License-Identifier: Apache-2.0
"""Calibrate the conformal lower bound of a value head and measure its coverage."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from vidplan_core.heads.conformal import LowerBound, calibrate, save_bound, shortfall
from vidplan_core.metrics.intervals import exact_interval
from vidplan_training.evaluation.report import written
from vidplan_training.evaluation.settings import ConformalRecipe, ValueSettings

BATCH = 16


def run(recipe: ConformalRecipe) -> int:
    """Calibrate, write the bound and print its coverage."""
    shortfalls = held_out_shortfalls(recipe)
    bound, result = calibrated(shortfalls, recipe.alpha, recipe.seed)
    save_bound(recipe.out, bound)
    print(written(result, recipe.json))
    return 0


def calibrated(
    shortfalls: np.ndarray, alpha: float, seed: int
) -> tuple[LowerBound, dict[str, Any]]:
    """The bound of one half of the episodes, and how it does on the other half.

    Raises:
        ValueError: fewer than four episodes.
    """
    if len(shortfalls) < 4:
        raise ValueError(f'{len(shortfalls)} held-out episodes; a bound needs 4, better hundreds')
    order = np.random.default_rng([seed, 17]).permutation(len(shortfalls))
    first, second = np.array_split(shortfalls[order], 2)
    bound = calibrate(first, alpha)
    held = int((second <= bound.margin).sum())
    return bound, {
        'alpha': alpha,
        'margin': bound.margin,
        'calibration_episodes': len(first),
        'test_episodes': len(second),
        'coverage': held / len(second),
        'interval_95': {'coverage': list(exact_interval(held, len(second)))},
        'seed': seed,
    }


@torch.no_grad()
def held_out_shortfalls(settings: ValueSettings) -> np.ndarray:
    """By how much the value head promises too much, one number per held-out episode.

    Raises:
        ModelError: the models lack a value head, or it does not fit.
        ValueError: the data hold training episodes only.
    """
    from vidplan_core.heads.distribution.estimate import expectation
    from vidplan_training.evaluation.value.evaluate import make_run

    run = make_run(settings)
    draws = one_each(run.data, np.random.default_rng([settings.seed, 18]), run.ahead)
    worst = []
    for first in range(0, len(draws), BATCH):
        part = draws[first : first + BATCH]
        predicted = expectation(run.logits(part), run.head.bins, -1).numpy()
        true = run.data.values_of(part, run.ahead, run.ahead).numpy()
        worst += [shortfall(mine, its) for mine, its in zip(predicted, true, strict=True)]
    return np.array(worst)


def one_each(data: Any, rng: np.random.Generator, ahead: int) -> list[Any]:
    """The first random clip with an instruction of each episode that comes up, by episode."""
    found: dict[int, Any] = {}
    for _ in range(20 * len(data)):
        draw = data.draw(rng, ahead)
        found.setdefault(draw.episode, draw)
        if len(found) == len(data):
            break
    return [found[episode] for episode in sorted(found)]
