# SPDX-License-Identifier: Apache-2.0
"""Whether the uncertainty head knows what the world model does not know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidplan_core.heads.estimate import ErrorEstimate
from vidplan_core.heads.inputs import HeadInput
from vidplan_core.heads.novelty import FOLDER as NOVELTY_FOLDER
from vidplan_core.heads.novelty import Novelty, load_novelty
from vidplan_core.heads.uncertainty import UncertaintyHead, load_uncertainty
from vidplan_core.metrics.calibration import ErrorCalibration
from vidplan_core.metrics.episode_sums import EpisodeMeans, IntervalEstimate
from vidplan_core.metrics.perceptual import FeatureDistance
from vidplan_core.metrics.perceptual_networks import load_feature_distance
from vidplan_core.metrics.ranking import (
    FINE_BINS,
    JOINT_BINS,
    RankCorrelation,
    Separation,
    Sparsification,
    error_edges,
    unit_edges,
)
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_core.world_model.sampler import MEAN, SamplingConfig
from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.data.latents import Clips
from vidplan_training.engine.progress import Progress
from vidplan_training.evaluation.clips import Clip, Place, load_clip, places
from vidplan_training.evaluation.intervals import intervals_of, values_of
from vidplan_training.evaluation.localisation import error_map, overlap, scene_doubt, suspicious
from vidplan_training.evaluation.report import report
from vidplan_training.evaluation.settings import EvaluateUncertainty
from vidplan_training.recipes.heads.planted import plant
from vidplan_training.recipes.heads.rollouts import Rollouts, imagine_ahead

PLANNED = PlannerConfig().sampling
# By name: imagined and believed frames before the judged chunk, and how all are sampled.
WAYS: dict[str, tuple[tuple[int, ...], SamplingConfig]] = {
    'mean': ((), MEAN),
    'steps_1': ((), SamplingConfig(1)),
    'steps_2': ((), SamplingConfig(2)),
    'steps_4': ((), SamplingConfig(4)),
    'fed_back': ((4,), PLANNED),
}
# As the planner imagines.
PLAIN = next(way for way, (hops, sampling) in WAYS.items() if sampling == PLANNED and not hops)
LONGEST_HOP = 4
ELEMENTS = 6000  # of one rollout, drawn at random: neighbours say the same
EDITED_TOGETHER = 8
UNSEEN = ('objects', 'lights', 'view')
# Standard deviations between which scores of novelty are told apart; beyond, all are alike.
NOVELTY_SPAN = (-5.0, 25.0)


class Evidence:
    """Everything that is counted about one way to imagine; sums only."""

    def __init__(self, head: UncertaintyHead) -> None:
        joint = unit_edges(JOINT_BINS), error_edges(JOINT_BINS)
        fine = unit_edges(FINE_BINS), error_edges(FINE_BINS)
        self.calibration = ErrorCalibration(head.bins)
        self.elements, self.frames = RankCorrelation(*joint), RankCorrelation(*joint)
        self.features = RankCorrelation(*joint)
        self.sparse = Sparsification(*fine)
        self.sparse_expected = Sparsification(fine[1], fine[1])
        self.means = EpisodeMeans(['expected_error', 'error', 'entropy'])

    def merge(self, other: Evidence) -> None:
        """Take over what was counted of another way."""
        for name, mine in vars(self).items():
            mine.merge(getattr(other, name))

    def result(self) -> dict[str, IntervalEstimate]:
        """Every metric by name."""
        return {
            **self.calibration.result(),
            'spearman_latent_error': self.frames.correlation(),
            'spearman_latent_error_elements': self.elements.correlation(),
            'spearman_deep_feature': self.features.correlation(),
            'ause': self.sparse.area(),
            'ause_expected_error': self.sparse_expected.area(),
            'ause_random': self.sparse.random_area(),
            **{f'mean_{name}': self.means.mean(name) for name in self.means.names},
        }


@dataclass
class Run:
    """One evaluation: models, what images are compared in, and what has been counted."""

    model: WorldModel
    head: UncertaintyHead
    distance: FeatureDistance
    seed: int
    evidence: dict[str, Evidence]
    edits: EpisodeMeans
    scenes: dict[str, Separation]
    novelty: Novelty | None = None

    def imagine(self, clip: Clip, number: int, way: str = PLAIN) -> Rollouts:
        """A clip's rollout, with noise of its own."""
        hops, sampling = WAYS[way]
        clips = Clips(self.model.encode(clip.images[None]), clip.poses)
        seed = 1000 * number + self.seed
        imagination, truth = imagine_ahead(self.model, clips, hops, sampling, seed)
        return Rollouts(HeadInput.of(imagination), truth)

    def count(self, place: Place, clip: Clip, way: str) -> Rollouts:
        """Compare one rollout with what came true."""
        rollouts = self.imagine(clip, place.number, way)
        logits = self.head(rollouts.inputs).float()
        estimate, errors = ErrorEstimate.of(logits, self.head.bins), rollouts.errors
        evidence, episode = self.evidence[way], place.number
        flat = logits.movedim(2, -1).flatten(0, -2)
        rng = np.random.default_rng([self.seed, place.number, place.present, 21])
        chosen = torch.from_numpy(rng.permutation(len(flat))[:ELEMENTS])
        wrong = errors.flatten()[chosen]
        evidence.calibration.add(episode, flat[chosen], wrong)
        doubt, expected = (
            values.flatten()[chosen].numpy()
            for values in (estimate.entropy, estimate.expected_error)
        )
        evidence.elements.add(episode, doubt, wrong.numpy())
        evidence.sparse.add(episode, doubt, wrong.numpy())
        evidence.sparse_expected.add(episode, expected, wrong.numpy())
        evidence.means.add(episode, expected_error=expected, error=wrong.numpy(), entropy=doubt)
        views = len(self.model.config.views)
        of_views = estimate.view_entropy(views).flatten().numpy()
        apart = errors.unflatten(3, (views, -1)).mean(dim=(2, 4, 5)).flatten()
        evidence.frames.add(episode, of_views, apart.numpy())
        evidence.features.add(episode, of_views, self._features(clip, rollouts, WAYS[way][0]))
        return rollouts

    def _features(self, clip: Clip, rollouts: Rollouts, hops: tuple[int, ...]) -> np.ndarray:
        """Deep-feature distance of every view of every new frame to what was seen."""
        decoded = self.model.decode(rollouts.inputs.predicted)[0].float().clamp(0.0, 1.0)
        first = clip.history + sum(hops)
        real = clip.views(decoded.shape[1])[first : first + len(decoded)]
        embedded = (self.distance.embed(images.flatten(0, 1)) for images in (decoded, real))
        return self.distance.distance(*embedded).numpy()

    def find_edits(self, rollouts: Rollouts, episodes: list[int]) -> Tensor:
        """Plant an edit in every rollout and look where the head finds it; returns the masks."""
        rng = np.random.default_rng([self.seed, episodes[0], 22])
        edited, masks = plant(rollouts, len(self.model.config.views), 1.0, rng)
        estimate = self.head.estimate(edited.inputs)
        found = overlap(suspicious(error_map(estimate)), masks)
        for episode, value in zip(episodes, found.tolist()):
            self.edits.add(episode, iou=value)
        return masks

    def count_scene(
        self, kinds: Sequence[str], clip: Clip, place: Place, *, new: bool, episode: int
    ) -> None:
        """Count a clip's scene among the seen or the new ones of some kinds."""
        inputs = self.imagine(clip, place.number).inputs
        doubt = scene_doubt(self.head.estimate(inputs)).numpy()
        told = doubt if self.novelty is None else self.novelty.score(inputs.present).numpy()
        for kind in kinds:
            self.scenes[kind].add(episode, told, positive=new)
            self.scenes[f'{kind}_entropy'].add(episode, doubt, positive=new)


def run(settings: EvaluateUncertainty) -> int:
    """Evaluate and report."""
    return report(evaluate_uncertainty, settings)


@torch.no_grad()
def evaluate_uncertainty(settings: EvaluateUncertainty) -> dict[str, Any]:
    """Every number that the uncertainty head is judged by, with intervals over episodes.

    Raises:
        ModelError: a model is missing or does not fit.
        ValueError: the data are for training, or too short.
    """
    run = make_run(settings)
    chosen = HeldOutClips(run.model, settings.data, settings.clips, settings.seed)
    progress = Progress('evaluate (clips)', len(chosen))
    waiting: list[tuple[int, Rollouts]] = []
    for done, (place, clip) in enumerate(chosen, 1):
        for way in WAYS:
            rollouts = run.count(place, clip, way)
            if way == PLAIN:
                waiting.append((place.number, rollouts))
        _scenes(run, place, clip)
        if len(waiting) == EDITED_TOGETHER or (done == len(chosen) and len(waiting) > 1):
            together = Rollouts.cat([rollouts for _, rollouts in waiting])
            run.find_edits(together, [number for number, _ in waiting])
            waiting = []
        progress.update(done)
    for name, folder in (('objects', settings.unseen_objects), ('lights', settings.unseen_lights)):
        if folder:
            for place, clip in HeldOutClips(run.model, folder, settings.clips, settings.seed):
                # The same noise as seen scenes, but episodes that are drawn apart from them.
                run.count_scene([name], clip, place, new=True, episode=1_000_000 + place.number)
    if settings.pictures:
        from vidplan_training.evaluation.uncertainty_pictures import draw

        draw(run, islice(chosen, EDITED_TOGETHER), settings.pictures)
    return _result(run, len(chosen))


def make_run(settings: EvaluateUncertainty) -> Run:
    """Load the models; nothing counted yet."""
    model, head = load_world_model(settings.models), load_uncertainty(settings.models)
    head.config.check_fits(model.config, model.mean.shape[2])
    distance = load_feature_distance(settings.features, settings.models)
    evidence = {way: Evidence(head) for way in WAYS}
    remembered = (settings.models / NOVELTY_FOLDER).is_dir()
    novelty = load_novelty(settings.models) if remembered else None
    span = (0.0, 1.0) if novelty is None else NOVELTY_SPAN
    scenes = {kind: Separation(*span) for kind in UNSEEN}
    scenes |= {f'{kind}_entropy': Separation(0.0, 1.0) for kind in UNSEEN}
    means = EpisodeMeans(['iou'])
    return Run(model, head, distance, settings.seed, evidence, means, scenes, novelty)


class HeldOutClips:
    """Seeded clips of held-out episodes, long enough for every way; loaded one at a time."""

    def __init__(self, model: WorldModel, data: Path, clips: int, seed: int) -> None:
        self._config = model.config
        self._frames = model.config.frames + LONGEST_HOP
        self._places = places(data, clips, replace(model.config, frames=self._frames), seed)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[tuple[Place, Clip]]:
        for place in self._places:
            yield place, load_clip(place, self._config, self._frames)


def _scenes(run: Run, place: Place, clip: Clip) -> None:
    """Count a clip as a seen scene, and without one of its views as an unseen one."""
    run.count_scene(UNSEEN, clip, place, new=False, episode=place.number)
    height = run.model.config.height
    view = place.number % len(run.model.config.views)
    blind = clip.images.clone()
    blind[:, view * height : (view + 1) * height] = 0
    lost = replace(clip, images=blind)
    run.count_scene(['view'], lost, place, new=True, episode=place.number)


def _result(run: Run, clips: int) -> dict[str, Any]:
    whole = Evidence(run.head)
    for evidence in run.evidence.values():
        whole.merge(evidence)
    scenes = {name: separation.area() for name, separation in run.scenes.items()}
    numbers = {
        **whole.result(),
        'auroc_unseen': scenes['objects'],
        'auroc_lights': scenes['lights'],
        'auroc_missing_view': scenes['view'],
        **{f'auroc_{kind}_entropy': scenes[f'{kind}_entropy'] for kind in UNSEEN},
        'edit_iou': run.edits.mean('iou'),
    }
    return {
        **values_of(numbers),
        'clips': clips,
        'seed': run.seed,
        'bins': {'kind': run.head.bins.kind, 'count': run.head.bins.count},
        'deep_feature_network': {'name': run.distance.name, **run.distance.details},
        'ways': {way: values_of(evidence.result()) for way, evidence in run.evidence.items()},
        'reliability': {
            **whole.calibration.thresholds.diagram(),
            'positions': whole.calibration.positions.total.tolist(),
        },
        'sparsification': whole.sparse.curves(),
        'interval_95': intervals_of(numbers),
    }
