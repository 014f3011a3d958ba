# SPDX-License-Identifier: Apache-2.0
"""What is counted of an uncertainty head's predictions, by mode of imagination and by scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidplan_core.heads.anomaly.hallucination import WRONG, HallucinationHead, worst_places
from vidplan_core.heads.anomaly.novelty import Novelty
from vidplan_core.heads.distribution.estimate import ErrorEstimate
from vidplan_core.heads.inputs import HeadInput
from vidplan_core.heads.uncertainty import UncertaintyHead
from vidplan_core.metrics.calibration import ErrorCalibration
from vidplan_core.metrics.episode_sums import EpisodeMeans, IntervalEstimate
from vidplan_core.metrics.perceptual import FeatureDistance
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
from vidplan_core.world_model.sampling.sampler import MEAN, SamplingConfig
from vidplan_core.world_model.world_model import WorldModel
from vidplan_eval.phantom import RandomPhantoms
from vidplan_training.data.latents import Clips
from vidplan_training.evaluation.clips import CLIPS_PER_EPISODE, Clip, ClipPlace, moment_of
from vidplan_training.evaluation.uncertainty.localisation import (
    error_map,
    scene_entropy,
    suspicious,
)
from vidplan_training.recipes.heads.planted import inject_moved_objects, overlap, plant
from vidplan_training.recipes.heads.rollouts import Rollouts, imagine_ahead

PLANNED = PlannerConfig().sampling
# By name: frames that are imagined and taken as seen before the measured chunk, and how all are
# sampled.
MODES: dict[str, tuple[tuple[int, ...], SamplingConfig]] = {
    'mean': ((), MEAN),
    'steps_1': ((), SamplingConfig(1)),
    'steps_2': ((), SamplingConfig(2)),
    'steps_4': ((), SamplingConfig(4)),
    'fed_back': ((4,), PLANNED),
}
# As the planner imagines.
PLAIN = next(mode for mode, (hops, sampling) in MODES.items() if sampling == PLANNED and not hops)
ELEMENTS = 6000  # of one rollout, drawn at random: neighbours say the same


class UncertaintyEvidence:
    """Everything that is counted about one mode of imagination; sums only."""

    def __init__(self, head: UncertaintyHead) -> None:
        joint = unit_edges(JOINT_BINS), error_edges(JOINT_BINS)
        fine = unit_edges(FINE_BINS), error_edges(FINE_BINS)
        self.calibration = ErrorCalibration(head.bins)
        self.elements, self.frames = RankCorrelation(*joint), RankCorrelation(*joint)
        self.features = RankCorrelation(*joint)
        self.sparse = Sparsification(*fine)
        self.sparse_expected = Sparsification(fine[1], fine[1])
        self.means = EpisodeMeans(['expected_error', 'error', 'entropy'])
        self.clips = 0

    def add(
        self, episode: int, entropy: np.ndarray, expected: np.ndarray, errors: np.ndarray
    ) -> None:
        """Count elements (elements,) of a clip: entropies, expected errors beside the errors."""
        self.clips += 1
        self.elements.add(episode, entropy, errors)
        self.sparse.add(episode, entropy, errors)
        self.sparse_expected.add(episode, expected, errors)
        self.means.add(episode, expected_error=expected, error=errors, entropy=entropy)

    def merge(self, other: UncertaintyEvidence) -> None:
        """Add what was counted of another mode."""
        self.clips += other.clips
        for name, mine in vars(self).items():
            if name != 'clips':
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
class UncertaintyRun:
    """One evaluation: models, what images are compared in, and what has been counted.

    `look` is how the image tower sees views, where novelty remembers that.
    """

    model: WorldModel
    head: UncertaintyHead
    distance: FeatureDistance
    seed: int
    evidence: dict[str, UncertaintyEvidence]
    moments: dict[str, UncertaintyEvidence]
    edits: EpisodeMeans
    scenes: dict[str, Separation]
    novelty: Novelty | None = None
    hallucination: HallucinationHead | None = None
    look: Callable[[Tensor], Tensor] | None = None

    def imagine(self, clip: Clip, number: int, mode: str = PLAIN) -> Rollouts:
        """A clip's rollout, with noise of its own."""
        hops, sampling = MODES[mode]
        clips = Clips(self.model.encode(clip.images[None]), clip.poses)
        seed = 1000 * number + self.seed
        imagination, truth = imagine_ahead(self.model, clips, hops, sampling, seed)
        return Rollouts(HeadInput.of(imagination), truth)

    def count(self, place: ClipPlace, clip: Clip, mode: str) -> Rollouts:
        """Compare one rollout with what came true."""
        rollouts = self.imagine(clip, place.number, mode)
        logits = self.head(rollouts.inputs).float()
        estimate, errors = ErrorEstimate.of(logits, self.head.bins), rollouts.errors
        counted, episode = [self.evidence[mode]], place.number
        if mode == PLAIN:
            counted.append(self.moments[moment_of(place, self.model.config.frames)])
        flat = logits.movedim(2, -1).flatten(0, -2)
        rng = np.random.default_rng([self.seed, place.number, place.present, 21])
        chosen = torch.from_numpy(rng.permutation(len(flat))[:ELEMENTS])
        wrong = errors.flatten()[chosen]
        entropy, expected = (
            values.flatten()[chosen].numpy()
            for values in (estimate.entropy, estimate.expected_error)
        )
        views = len(self.model.config.views)
        of_views = estimate.view_entropy(views).flatten().numpy()
        apart = errors.unflatten(3, (views, -1)).mean(dim=(2, 4, 5)).flatten()
        features = self._features(clip, rollouts, MODES[mode][0])
        for evidence in counted:
            evidence.calibration.add(episode, flat[chosen], wrong)
            evidence.add(episode, entropy, expected, wrong.numpy())
            evidence.frames.add(episode, of_views, apart.numpy())
            evidence.features.add(episode, of_views, features)
        return rollouts

    def _features(self, clip: Clip, rollouts: Rollouts, hops: tuple[int, ...]) -> np.ndarray:
        """Deep-feature distance of every view of every new frame to what was seen."""
        decoded = self.model.decode(rollouts.inputs.predicted)[0].float().clamp(0.0, 1.0)
        first = clip.history + sum(hops)
        real = clip.views(decoded.shape[1])[first : first + len(decoded)]
        embedded = (self.distance.embed(images.flatten(0, 1)) for images in (decoded, real))
        return self.distance.distance(*embedded).numpy()

    def find_edits(self, rollouts: Rollouts, episodes: list[int]) -> Tensor:
        """Plant an edit in every rollout and look where it is found; returns the masks.

        The head of hallucinations finds it where there is one, the errors' head always.
        """
        rng = np.random.default_rng([self.seed, episodes[0], 22])
        edited, masks = plant(rollouts, len(self.model.config.views), 1.0, rng, CLIPS_PER_EPISODE)
        found = overlap(suspicious(error_map(self.head.estimate(edited.inputs))), masks)
        self._note(episodes, iou_by_errors=found)
        if self.hallucination is None:
            self._note(episodes, iou=found)
            return masks
        plain, planted, moved = (
            self.hallucination.probability(each.inputs)
            for each in (rollouts, edited, self._moved(rollouts, episodes[0]))
        )
        self._note(episodes, iou=overlap(planted.mean(1) > WRONG, masks))
        self._note(episodes, called_wrong=(plain.mean(1) > WRONG).float().mean((1, 2)))
        for name, probability in (('planted', planted), ('moved', moved)):
            for kind, wrong in ((probability, True), (plain, False)):
                for episode, score in zip(episodes, worst_places(kind).tolist()):
                    self.scenes[name].add(episode, np.array([score]), positive=wrong)
        return masks

    def _moved(self, rollouts: Rollouts, number: int) -> Rollouts:
        """The same rollouts, in each of which a thing has moved where it is not."""
        phantoms = RandomPhantoms(1.0, len(self.model.config.views), self.seed)
        return inject_moved_objects(rollouts, phantoms, number)

    def _note(self, episodes: list[int], **found: Tensor) -> None:
        for name, values in found.items():
            for episode, value in zip(episodes, values.tolist()):
                self.edits.add(episode, **{name: value})

    def count_scene(
        self, kinds: Sequence[str], clip: Clip, place: ClipPlace, *, new: bool, episode: int
    ) -> None:
        """Count a clip's scene among the seen or the new ones of some kinds."""
        inputs = self.imagine(clip, place.number).inputs
        entropy = scene_entropy(self.head.estimate(inputs)).numpy()
        score = entropy
        if self.novelty is not None:
            seen = None if self.look is None else self.look(self._present(clip))
            score = self.novelty.score(inputs.present, seen).numpy()
        for kind in kinds:
            self.scenes[kind].add(episode, score, positive=new)
            self.scenes[f'{kind}_entropy'].add(episode, entropy, positive=new)

    def _present(self, clip: Clip) -> Tensor:
        """Views (1, views, 3, height, width) of a clip's present, in [0, 1]."""
        return clip.views(len(self.model.config.views))[None, clip.history - 1]
