# SPDX-License-Identifier: Apache-2.0
"""Whether the uncertainty head knows what the world model does not know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from vidplan_core.heads.anomaly.hallucination import FOLDER as HALLUCINATION_FOLDER
from vidplan_core.heads.anomaly.hallucination import load_hallucination
from vidplan_core.heads.anomaly.novelty import FOLDER as NOVELTY_FOLDER
from vidplan_core.heads.anomaly.novelty import load_novelty
from vidplan_core.heads.uncertainty import load_uncertainty
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.metrics.episode_sums import EpisodeMeans
from vidplan_core.metrics.perceptual_networks import load_feature_distance
from vidplan_core.metrics.ranking import Separation
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_core.world_model.world_model import WorldModel
from vidplan_eval.replay.windows import KINDS
from vidplan_training.data.robot_shards import as_shards
from vidplan_training.engine.progress_log import ProgressLog
from vidplan_training.evaluation.clips import (
    CLIPS_PER_EPISODE,
    Clip,
    ClipPlace,
    load_clip,
    places,
)
from vidplan_training.evaluation.intervals import intervals_of, values_of
from vidplan_training.evaluation.report import report
from vidplan_training.evaluation.settings import EvaluateUncertainty
from vidplan_training.evaluation.uncertainty.evidence import (
    MODES,
    PLAIN,
    UncertaintyEvidence,
    UncertaintyRun,
)
from vidplan_training.evaluation.uncertainty.pictures import draw
from vidplan_training.recipes.heads.rollouts import Rollouts

LONGEST_HOP = 4
EDITED_TOGETHER = 8
UNSEEN = ('objects', 'lights', 'view', 'swapped')
EDITS = ('planted', 'moved')
# Standard deviations between which scores of novelty are distinguished.
NOVELTY_SPAN = (-5.0, 25.0)


def run(settings: EvaluateUncertainty) -> int:
    """Evaluate and report."""
    return report(evaluate_uncertainty, settings)


@torch.no_grad()
def evaluate_uncertainty(settings: EvaluateUncertainty) -> dict[str, Any]:
    """Every number that the uncertainty head is measured by, with intervals over episodes.

    Raises:
        ModelError: a model is missing or does not fit.
        ValueError: the data are for training, or too short.
    """
    run = make_run(settings)
    folder = as_shards(settings, run.model.config)
    chosen = HeldOutClips(run.model, folder, settings.clips, settings.seed)
    progress = ProgressLog('evaluate (clips)', len(chosen))
    waiting: list[tuple[int, Rollouts]] = []
    for done, (place, clip) in enumerate(chosen, 1):
        for mode in MODES:
            rollouts = run.count(place, clip, mode)
            if mode == PLAIN:
                waiting.append((place.number, rollouts))
        _scenes(run, place, clip)
        last = done == len(chosen) and len(waiting) > CLIPS_PER_EPISODE  # of several scenes
        if len(waiting) == EDITED_TOGETHER or last:
            together = Rollouts.cat([rollouts for _, rollouts in waiting])
            run.find_edits(together, [number for number, _ in waiting])
            waiting = []
        progress.update(done)
    for name, unseen in (('objects', settings.unseen_objects), ('lights', settings.unseen_lights)):
        if unseen:
            for place, clip in HeldOutClips(run.model, unseen, settings.clips, settings.seed):
                # The same noise as seen scenes, but episodes that are drawn apart from them.
                run.count_scene([name], clip, place, new=True, episode=1_000_000 + place.number)
    if settings.pictures:
        draw(run, islice(chosen, EDITED_TOGETHER), settings.pictures)
    return _result(run, len(chosen))


def make_run(settings: EvaluateUncertainty) -> UncertaintyRun:
    """Load the models; nothing counted yet."""
    model, head = load_world_model(settings.models), load_uncertainty(settings.models)
    head.config.check_fits(model.config, model.mean.shape[2])
    distance = load_feature_distance(settings.features, settings.models)
    evidence = {mode: UncertaintyEvidence(head) for mode in MODES}
    novelty = load_novelty(settings.models) if _has(settings, NOVELTY_FOLDER) else None
    finds = _has(settings, HALLUCINATION_FOLDER)
    hallucination = load_hallucination(settings.models) if finds else None
    span = (0.0, 1.0) if novelty is None else NOVELTY_SPAN
    scenes = {kind: Separation(*span) for kind in UNSEEN}
    scenes |= {f'{kind}_entropy': Separation(0.0, 1.0) for kind in UNSEEN}
    scenes |= {kind: Separation(0.0, 1.0) for kind in EDITS if finds}
    means = EpisodeMeans(['iou', 'iou_by_errors', *(['called_wrong'] if finds else [])])
    look = None
    if novelty is not None and novelty.sees_patches:
        look = SemanticScorer.load(settings.models / 'semantic').dense_views
    moments = {kind: UncertaintyEvidence(head) for kind in KINDS}
    return UncertaintyRun(
        model, head, distance, settings.seed, evidence, moments, means, scenes, novelty,
        hallucination, look,
    )  # fmt: skip


def _has(settings: EvaluateUncertainty, folder: str) -> bool:
    return (settings.models / folder).is_dir()


class HeldOutClips:
    """Seeded clips of held-out episodes, long enough for every mode; loaded one at a time."""

    def __init__(self, model: WorldModel, data: Path, clips: int, seed: int) -> None:
        self._config = model.config
        self._frames = model.config.frames + LONGEST_HOP
        self._places = places(data, clips, replace(model.config, frames=self._frames), seed)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[tuple[ClipPlace, Clip]]:
        for place in self._places:
            yield place, load_clip(place, self._config, self._frames)


def _scenes(run: UncertaintyRun, place: ClipPlace, clip: Clip) -> None:
    """Count a clip as a seen scene, and as unseen ones without a view and with two swapped."""
    run.count_scene(UNSEEN, clip, place, new=False, episode=place.number)
    height = run.model.config.height
    view = place.number % len(run.model.config.views)
    blind = clip.images.clone()
    blind[:, view * height : (view + 1) * height] = 0
    lost = replace(clip, images=blind)
    run.count_scene(['view'], lost, place, new=True, episode=place.number)
    views = list(clip.images.split(height, dim=1))
    other = (view + 1) % len(views)
    views[view], views[other] = views[other], views[view]
    swapped = replace(clip, images=torch.cat(views, dim=1))
    run.count_scene(['swapped'], swapped, place, new=True, episode=place.number)


def _of_moments(evidence: UncertaintyEvidence) -> dict[str, Any] | None:
    """Numbers of one kind of moment with their intervals; None where there was none."""
    if not evidence.clips:
        return None
    found = evidence.result()
    return {'clips': evidence.clips, **values_of(found), 'interval_95': intervals_of(found)}


def _result(run: UncertaintyRun, clips: int) -> dict[str, Any]:
    whole = UncertaintyEvidence(run.head)
    for evidence in run.evidence.values():
        whole.merge(evidence)
    scenes = {name: separation.area() for name, separation in run.scenes.items()}
    numbers = {
        **whole.result(),
        'auroc_unseen': scenes['objects'],
        'auroc_lights': scenes['lights'],
        'auroc_missing_view': scenes['view'],
        'auroc_swapped_views': scenes['swapped'],
        **{f'auroc_{kind}_entropy': scenes[f'{kind}_entropy'] for kind in UNSEEN},
        'edit_iou': run.edits.mean('iou'),
        'edit_iou_by_errors': run.edits.mean('iou_by_errors'),
    }
    if run.hallucination is not None:
        numbers |= {f'auroc_{kind}': scenes[kind] for kind in EDITS}
        numbers['called_wrong'] = run.edits.mean('called_wrong')
    return {
        **values_of(numbers),
        'clips': clips,
        'seed': run.seed,
        'bins': {'kind': run.head.bins.kind, 'count': run.head.bins.count},
        'deep_feature_network': {'name': run.distance.name, **run.distance.details},
        'ways': {mode: values_of(evidence.result()) for mode, evidence in run.evidence.items()},
        'moments': {kind: _of_moments(evidence) for kind, evidence in run.moments.items()},
        'reliability': {
            **whole.calibration.thresholds.diagram(),
            'positions': whole.calibration.positions.total.tolist(),
        },
        'sparsification': whole.sparse.curves(),
        'interval_95': intervals_of(numbers),
    }
