# SPDX-License-Identifier: Apache-2.0
"""How often a success detector is right in scenes that it has not seen, and how calibrated."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidplan_core.geometry.camera import Camera
from vidplan_core.heads.success.network import SuccessDetector
from vidplan_core.metrics.intervals import exact_interval, percentile_interval
from vidplan_core.planner.tasks.handling import DONE
from vidplan_training.collect import endings
from vidplan_training.recipes.success.lesson import read_moments
from vidplan_training.recipes.success.looked import EndingMoments

BATCH, BINS, RESAMPLES = 256, 10, 500
# What a detector is worth that says the same of everything.
LEAST_SCALE = 1e-2
Numbers = dict[str, object]


@dataclass(frozen=True)
class Judgements:
    """Logits, truths, scenes and whether something ends there, each (moments,), of one verb."""

    logits: np.ndarray
    true: np.ndarray
    scene: np.ndarray
    last: np.ndarray


@torch.no_grad()
def judge(
    detector: SuccessDetector, cameras: Sequence[Camera], moments: EndingMoments
) -> dict[str, Judgements]:
    """What a detector says of moments, before calibration, by verb."""
    was, found = detector.training, {}
    detector.eval()
    for number, verb in enumerate(endings.VERBS):
        logits = [
            detector(read_moments(cameras, part, torch.full((len(part),), number)))
            for part in map(moments.rows, torch.arange(len(moments)).split(BATCH))
        ]
        found[verb] = Judgements(
            torch.cat(logits).double().numpy(), moments.successes[:, number].numpy(),
            moments.scene.numpy(), moments.last[:, number].numpy(),
        )  # fmt: skip
    detector.train(was)
    return found


def calibration_of(said: dict[str, Judgements]) -> tuple[float, float]:
    """Scale and shift of the logits that explain the truth best (Platt 1999)."""
    logits, true = (
        torch.from_numpy(np.concatenate([getattr(v, name) for v in said.values()])).double()
        for name in ('logits', 'true')
    )
    numbers = torch.tensor([0.0, 0.0], dtype=torch.double, requires_grad=True)
    optimiser = torch.optim.LBFGS([numbers], max_iter=50)

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            numbers[0].exp() * logits + numbers[1], true
        )
        loss.backward()
        return loss

    optimiser.step(closure)
    scale, shift = numbers.tolist()
    return min(max(math.exp(scale), LEAST_SCALE), 1.0 / LEAST_SCALE), float(shift)


def measure(detector: SuccessDetector, said: dict[str, Judgements]) -> Numbers:
    """By verb: right in looks and at ends, said done rightly, missed, calibration error."""
    return {verb: _measured(detector, found) for verb, found in said.items()}


def _measured(detector: SuccessDetector, said: Judgements) -> Numbers:
    config = detector.config
    probability = 1.0 / (1.0 + np.exp(-(config.scale * said.logits + config.shift)))
    done = probability >= DONE
    right = done == said.true
    ends = said.last
    interval = _by_scene(said.scene, lambda rows: float(right[rows].mean()))
    calibration = _by_scene(said.scene, lambda rows: _ece(probability[rows], said.true[rows]))
    return {
        'looks': len(right), 'right': float(right.mean()), 'right_95': interval,
        'said_done_rightly': _share(said.true & done, done),
        'missed': _share(~done & said.true, said.true),
        'ends': int(ends.sum()), 'right_at_ends': _share(right & ends, ends),
        'ece': _ece(probability, said.true), 'ece_95': calibration,
    }  # fmt: skip


def _share(part: np.ndarray, whole: np.ndarray) -> list[float]:
    """Share of some looks, and its exact interval as if all were independent."""
    count, of = int(part.sum()), int(whole.sum())
    low, high = exact_interval(count, of)
    return [round(v, 4) for v in (count / max(of, 1), low, high)]


def _ece(probability: np.ndarray, true: np.ndarray) -> float:
    """Expected calibration error over equal bins (Guo et al. 2017)."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    apart = np.bincount(bins, probability - true, BINS)
    return float(np.abs(apart).sum() / max(len(true), 1))


def _by_scene(scene: np.ndarray, statistic: Callable[[np.ndarray], float]) -> list[float]:
    """95 % interval of a statistic of rows, by drawing whole scenes."""
    rng, rows = np.random.default_rng(0), [np.flatnonzero(scene == s) for s in np.unique(scene)]
    drawn = [
        statistic(np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))]))
        for _ in range(RESAMPLES)
    ]
    return [round(v, 4) for v in percentile_interval(np.array(drawn))]
