# SPDX-License-Identifier: Apache-2.0
"""`vidplan-train evaluate semantic`: what the scorer finds in scenes that it never saw.

Every scene is rendered twice. *Seen* instances vary as those of training scenes do; *unseen*
ones are the same kinds in colours and sizes beyond that range, so a scorer that remembers
pictures fails on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch

from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.language.semantic_config import read_config
from vidplan_core.metrics.intervals import bootstrap_interval
from vidplan_sim.cell import Cell
from vidplan_sim.objects.everyday import BOWL, KINDS
from vidplan_sim.scene import ObjectPlacement, Scene, random_scene
from vidplan_sim.staging import SCALE_RANGE
from vidplan_training.engine.progress_log import ProgressLog
from vidplan_training.evaluation.report import report
from vidplan_training.evaluation.settings import EvaluateSemantic
from vidplan_training.recipes.semantic.check import (
    MADE_UP,
    VISIBLE_PX,
    SceneScores,
    best_peaks,
    distances,
    score_scenes,
    top1_hits,
)
from vidplan_training.recipes.semantic.data import ViewBatch

# Training scenes scale objects by 0.93 .. 1.07 and shift hues by -0.02 .. 0.02.
UNSEEN_SCALES = ((SCALE_RANGE[0], 0.90), (1.10, SCALE_RANGE[1]))
UNSEEN_HUES = ((-0.08, -0.04), (0.04, 0.08))
OBJECTS = 4

Values = Callable[[SceneScores], np.ndarray]


def unseen_instances(scene: Scene) -> Scene:
    """The scene with every object, the bowl included, in a size and colour beyond training's."""
    rng = np.random.default_rng([scene.seed, 3])
    objects = tuple(_unseen(rng, placement) for placement in scene.objects)
    return replace(scene, objects=objects, bowl=_unseen(rng, scene.bowl))


def _unseen(rng: np.random.Generator, placement: ObjectPlacement) -> ObjectPlacement:
    scale = rng.uniform(*UNSEEN_SCALES[int(rng.integers(2))])
    hue = rng.uniform(*UNSEEN_HUES[int(rng.integers(2))])
    return replace(placement, scale=float(scale), hue_shift=float(hue))


class RenderedScenes:
    """Views of scenes by seed, as the scorer's size has them; `alternative` renders unseen ones.

    Args:
        cell: renders at twice the scorer's size.
        size: height and width of a view, pixels.
    """

    def __init__(self, cell: Cell, size: tuple[int, int]) -> None:
        self._cell, (self._height, self._width) = cell, size

    def scene(self, index: tuple[int, int, int], alternative: bool = False) -> ViewBatch:
        """All views of the scene whose seed is the first number, the arm at its start."""
        scene = random_scene(index[0], count=OBJECTS)
        self._cell.reset(unseen_instances(scene) if alternative else scene)
        images = [self._small(image) for image in self._cell.render().values()]
        # The centre pixel of each 2x2 block: labels cannot be averaged.
        labels = [ids[1::2, 1::2].astype(np.int64) for ids in self._cell.segmentation().values()]
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255.0
        return ViewBatch(pixels, torch.from_numpy(np.stack(labels)))

    def _small(self, image: np.ndarray) -> np.ndarray:
        return cv2.resize(image, (self._width, self._height), interpolation=cv2.INTER_AREA)


@dataclass(frozen=True)
class SemanticFindings:
    """Scored scenes, and the number of phrases that name segments, robot and gripper first."""

    scores: Sequence[SceneScores]
    known: int
    threshold: float

    def top1(self, score: SceneScores) -> np.ndarray:
        """Whether each visible object's phrase lands nearest to it."""
        return top1_hits(score, self.known)

    def centroid_error(self, score: SceneScores) -> np.ndarray:
        """Pixels from each visible object's centre, view by view."""
        errors = np.stack([distances(score, phrase) for phrase in range(2, self.known)])
        return errors[np.isfinite(errors)]

    def absent_rejected(self, score: SceneScores) -> np.ndarray:
        """Whether each phrase without a pixel in any view is refused."""
        return best_peaks(score)[score.area.max(axis=1) == 0] < self.threshold

    def false_rejection(self, score: SceneScores) -> np.ndarray:
        """Whether each visible object is refused."""
        visible = score.area[: self.known].max(axis=1) >= VISIBLE_PX
        visible[:2] = False
        return best_peaks(score)[: self.known][visible] < self.threshold

    def mean(self, values: Values) -> tuple[float, list[float]]:
        """Mean over everything in all scenes, with its bootstrap interval over scenes."""
        rows = [values(score) for score in self.scores]
        sums = np.array([float(row.sum()) for row in rows])
        counts = np.array([len(row) for row in rows], np.float64)

        def pooled(scenes: np.ndarray, axis: int = -1) -> np.ndarray:
            index = scenes.astype(int)
            return sums[index].sum(axis) / np.maximum(counts[index].sum(axis), 1.0)

        everyone = np.arange(len(rows))
        low, high = bootstrap_interval(everyone, statistic=pooled)
        return round(float(pooled(everyone)), 4), [round(low, 4), round(high, 4)]


def run(settings: EvaluateSemantic) -> int:
    """Evaluate and report."""
    return report(evaluate_semantic, settings)


def evaluate_semantic(settings: EvaluateSemantic) -> dict[str, Any]:
    """Shares and errors of seen and unseen instances, each with its interval."""
    config = replace(read_config(settings.models / 'semantic'), fit=settings.fit)
    scorer = SemanticScorer.load(config)
    height, width = settings.view or scorer.image_size
    cell = Cell(2 * height, 2 * width)
    names = cell.segment_names
    phrases = [*('robot', 'robot gripper'), *(_noun(name) for name in names[3:]), *MADE_UP]
    known = len(names) - 1
    segments = [*range(1, known + 1), *[-1] * len(MADE_UP)]
    scenes, found = RenderedScenes(cell, (height, width)), {}
    progress = ProgressLog('semantic (scenes)', 2 * settings.episodes)
    for key, unseen in (('seen', False), ('unseen', True)):
        scores = []
        for seed in range(settings.seed, settings.seed + settings.episodes):
            scores += score_scenes(scorer, scenes, [(seed, 0, 0)], phrases, segments, unseen)
            progress.update(len(scores) + unseen * settings.episodes)
        found[key] = SemanticFindings(scores, known, scorer.config.threshold)
    cell.close()
    return summarise_findings(found['seen'], found['unseen'], width) | {
        'episodes': settings.episodes,
        'seed': settings.seed,
    }


def summarise_findings(
    seen: SemanticFindings, unseen: SemanticFindings, width: int
) -> dict[str, Any]:
    """The result file; plain names are of seen instances, `width` is a view's in pixels."""
    measured: dict[str, tuple[float, list[float]]] = {
        'top1_seen': seen.mean(seen.top1),
        'top1_unseen': unseen.mean(unseen.top1),
    }
    for name, of in (('', seen), ('_unseen', unseen)):
        measured[f'centroid_error{name}'] = of.mean(of.centroid_error)
        measured[f'absent_rejected{name}'] = of.mean(of.absent_rejected)
        measured[f'false_rejection{name}'] = of.mean(of.false_rejection)
    return {
        **{name: value for name, (value, _) in measured.items()},
        'centroid_error_of_width': round(measured['centroid_error'][0] / width, 4),
        'threshold': seen.threshold,
        'interval_95': {name: interval for name, (_, interval) in measured.items()},
    }


def _noun(kind: str) -> str:
    return next(known.noun for known in (*KINDS, BOWL) if known.name == kind)
