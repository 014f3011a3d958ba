# SPDX-License-Identifier: Apache-2.0
"""Held-out measurement of the semantic scorer: what it finds, where, and what it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from vidplan_core.language.relevancy import scene_peak
from vidplan_core.language.semantic import SemanticScorer
from vidplan_training.recipes.semantic.data import ViewBatch

VISIBLE_PX = 20
FALSE_REJECTION = 0.04  # aimed at; the rest up to 5 % is for what the next scenes bring
MADE_UP = (
    'unicorn',
    'xylophone',
    'toaster',
    'red car',
    'shoe',
    'teddy bear',
    'keyboard',
    'wine glass',
    'hammer',
    'sunflower',
    'blue elephant',
    'spoon',
)


@dataclass(frozen=True)
class SceneScores:
    """How every phrase scored in one scene.

    Attributes:
        peak: (phrases, views).
        centroid: x, y in pixels, (phrases, views, 2).
        area: visible pixels of the phrase's segment, 0 for made-up ones, (phrases, views).
        centre: x, y of the segment's pixels, nan where it is out of sight, (phrases, views, 2).
    """

    peak: np.ndarray
    centroid: np.ndarray
    area: np.ndarray
    centre: np.ndarray


class Scenes(Protocol):
    """Moments with a segmentation, as `SegmentedViews` has them."""

    def scene(self, index: tuple[int, int, int], alternative: bool = False) -> ViewBatch:
        """All views of one moment."""
        ...


@torch.no_grad()
def score_scenes(
    scorer: SemanticScorer,
    views: Scenes,
    frames: Sequence[tuple[int, int, int]],
    phrases: Sequence[str],
    segments: Sequence[int],
    alternative: bool = False,
) -> list[SceneScores]:
    """Score phrases in scenes; `segments` holds each phrase's segment index, -1 for none."""
    scores = []
    for index in frames:
        batch = views.scene(index, alternative)
        maps = scorer.compare(scorer.dense(batch.images), phrases)
        place = scorer.localise(maps.flatten(0, 1))
        height, width = batch.labels.shape[-2:]
        shape = (len(batch.images), len(phrases))
        centroid = place.centroid.view(*shape, 2) * torch.tensor([width, height])
        area, centre = _segment_truth(batch.labels, segments)
        peak = place.peak.view(*shape)
        scores.append(
            SceneScores(*(np.moveaxis(t.numpy(), 0, 1) for t in (peak, centroid, area, centre)))
        )
    return scores


def calibrate(scores: Sequence[SceneScores], known: int) -> float:
    """Return the threshold on the best view's peak that rejects few visible objects.

    The first `known` phrases name segments. Where visible and absent ones are far apart, the
    threshold is moved up, half-way to the highest absent ones.
    """
    visible, absent = _peaks(scores, known)
    lowest = float(np.quantile(visible, FALSE_REJECTION))
    highest = float(np.quantile(absent, 0.97))
    return round(max(lowest, 0.05) if highest >= lowest else 0.5 * (lowest + highest), 4)


def summarise(
    scores: Sequence[SceneScores], names: Sequence[str], known: int, threshold: float
) -> dict[str, object]:
    """Return the metrics of the model card; phrases are the known ones, then made-up ones.

    The known ones begin with the robot and its gripper, then come the objects.
    """
    visible, absent = _peaks(scores, known)
    errors = _centroid_errors(scores, known)
    return {
        'scenes': len(scores),
        'top1': _top1(scores, known),
        'centroid_error_px': _statistics(np.concatenate(errors[2:])),
        'gripper_error_px': _statistics(errors[1]),
        'false_rejection': _share(visible < threshold),
        'absent_rejected': _share(absent < threshold),
        'absent_objects_rejected': _share(_absent(scores, slice(0, known)) < threshold),
        'unknown_words_rejected': _share(_absent(scores, slice(known, None)) < threshold),
        'phrases': {
            name: {
                'false_rejection': _share(_visible(scores, i) < threshold),
                'absent_rejected': _share(_absent(scores, slice(i, i + 1)) < threshold),
                'centroid_error_px': _statistics(errors[i]) if i < known else None,
            }
            for i, name in enumerate(names)
        },
    }


def _segment_truth(labels: Tensor, segments: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return visible pixels (views, phrases) and their mean x, y (views, phrases, 2)."""
    masks = torch.stack([labels == index for index in segments], dim=1).float()
    area = masks.sum(dim=(-2, -1))
    height, width = labels.shape[-2:]
    x = (masks.sum(dim=-2) * (torch.arange(width) + 0.5)).sum(dim=-1) / area
    y = (masks.sum(dim=-1) * (torch.arange(height) + 0.5)).sum(dim=-1) / area
    return area, torch.stack((x, y), dim=-1)


def best_peaks(score: SceneScores) -> np.ndarray:
    """Peak of each phrase in the view that shows it best, (phrases,)."""
    return scene_peak(torch.from_numpy(score.peak)).numpy()


def _visible(scores: Sequence[SceneScores], phrase: int) -> np.ndarray:
    return np.array([best_peaks(s)[phrase] for s in scores if s.area[phrase].max() >= VISIBLE_PX])


def _absent(scores: Sequence[SceneScores], phrases: slice) -> np.ndarray:
    """Best peaks of phrases without a single pixel in any view."""
    found = [best_peaks(s)[phrases][s.area[phrases].max(axis=1) == 0] for s in scores]
    return np.concatenate(found)


def _peaks(scores: Sequence[SceneScores], known: int) -> tuple[np.ndarray, np.ndarray]:
    visible = np.concatenate([_visible(scores, i) for i in range(known)])
    return visible, _absent(scores, slice(None))


def _centroid_errors(scores: Sequence[SceneScores], known: int) -> list[np.ndarray]:
    """Distance in pixels, of each phrase, in every view that shows it well enough.

    The robot and its gripper (the first two) only in the scene views: what the wrist camera sees
    of its own hand is two fingers at two edges, whose mean is nowhere.
    """
    return [
        np.concatenate([distances(score, i)[: -1 if i < 2 else None] for score in scores])
        for i in range(known)
    ]


def distances(score: SceneScores, phrase: int) -> np.ndarray:
    """Distance of the centroid from the segment's centre per view, nan where it is not seen."""
    distance = np.linalg.norm(score.centroid[phrase] - score.centre[phrase], axis=-1)
    return np.where(score.area[phrase] >= VISIBLE_PX, distance, np.nan)


def _top1(scores: Sequence[SceneScores], known: int) -> float | None:
    return _share(np.concatenate([top1_hits(score, known) for score in scores]))


def top1_hits(score: SceneScores, known: int) -> np.ndarray:
    """Whether each visible object's phrase lands nearer to it than to others, view by view.

    The first two phrases name the robot and its gripper, which are no objects.
    """
    seen = score.area[:known] >= VISIBLE_PX
    seen[:2] = False
    right = []
    for phrase, view in zip(*np.nonzero(seen), strict=True):
        others = np.flatnonzero(seen[:, view])
        place = score.centroid[phrase, view]
        distance = np.linalg.norm(score.centre[others, view] - place, axis=-1)
        right.append(others[distance.argmin()] == phrase)
    return np.array(right, bool)


def _share(condition: np.ndarray) -> float | None:
    return round(float(condition.mean()), 4) if len(condition) else None


def _statistics(values: np.ndarray) -> dict[str, float | None] | None:
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return None
    p50, p90, p95 = np.quantile(values, [0.5, 0.9, 0.95])
    return {
        'mean': round(float(values.mean()), 2),
        'p50': round(float(p50), 2),
        'p90': round(float(p90), 2),
        'p95': round(float(p95), 2),
        'within_3': _share(values <= 3.0),
    }
