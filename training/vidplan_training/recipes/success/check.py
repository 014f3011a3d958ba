# SPDX-License-Identifier: Apache-2.0
"""How often a success detector is right in scenes that it has not seen, and how calibrated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vidplan_core.geometry.camera import Camera
from vidplan_core.heads.detectors.success.network import SuccessDetector
from vidplan_core.metrics.calibration import calibration_error
from vidplan_core.metrics.intervals import exact_interval, scene_interval
from vidplan_core.planner.tasks.handling import DONE
from vidplan_training.collect import endings
from vidplan_training.engine.platt import platt
from vidplan_training.recipes.success.lesson import read_moments
from vidplan_training.recipes.success.looked import EndingMoments

BATCH, RESAMPLES = 256, 500
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
    return platt(logits, true)


def measure(detector: SuccessDetector, said: dict[str, Judgements]) -> Numbers:
    """By verb: right in looks and at ends, said done rightly, missed, calibration error."""
    return {verb: _measured(detector, found) for verb, found in said.items()}


def _measured(detector: SuccessDetector, said: Judgements) -> Numbers:
    config = detector.config
    probability = 1.0 / (1.0 + np.exp(-(config.scale * said.logits + config.shift)))
    done = probability >= DONE
    right = done == said.true
    ends = said.last
    scenes = [np.flatnonzero(said.scene == scene) for scene in np.unique(said.scene)]
    pairs = np.stack([probability, said.true], 1)

    def by_scene(number: Callable[[np.ndarray], float]) -> list[float]:
        return [round(edge, 4) for edge in scene_interval(scenes, number, RESAMPLES)]

    return {
        'looks': len(right), 'right': float(right.mean()),
        'right_95': by_scene(lambda rows: float(right[rows].mean())),
        'said_done_rightly': _share(said.true & done, done),
        'missed': _share(~done & said.true, said.true),
        'ends': int(ends.sum()), 'right_at_ends': _share(right & ends, ends),
        'ece': calibration_error(pairs),
        'ece_95': by_scene(lambda rows: calibration_error(pairs[rows])),
    }  # fmt: skip


def _share(part: np.ndarray, whole: np.ndarray) -> list[float]:
    """Share of some looks, and its exact interval as if all were independent."""
    count, of = int(part.sum()), int(whole.sum())
    low, high = exact_interval(count, of)
    return [round(v, 4) for v in (count / max(of, 1), low, high)]
