# SPDX-License-Identifier: Apache-2.0
"""The heads of a models folder together: how sure an imagination is, and what it is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ModelError
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.heads.anomaly.hallucination import FOLDER as HALLUCINATION_FOLDER
from vidplan_core.heads.anomaly.hallucination import HallucinationHead, load_hallucination
from vidplan_core.heads.anomaly.novelty import FOLDER as NOVELTY_FOLDER
from vidplan_core.heads.anomaly.novelty import Novelty, load_novelty
from vidplan_core.heads.conformal import LowerBound, load_bound
from vidplan_core.heads.detectors.grasp.network import FOLDER as GRASP_FOLDER
from vidplan_core.heads.detectors.grasp.network import GraspEstimator, load_grasp
from vidplan_core.heads.detectors.latent_relevancy import FOLDER as RELEVANCY_FOLDER
from vidplan_core.heads.detectors.latent_relevancy import LatentReader, load_latent_relevancy
from vidplan_core.heads.detectors.success.network import FOLDER as SUCCESS_FOLDER
from vidplan_core.heads.detectors.success.network import SuccessEstimator, load_success
from vidplan_core.heads.grounding import (
    InstructionGrounding,
    MapFilter,
    ground,
    ground_dense,
)
from vidplan_core.heads.inputs import HeadInput
from vidplan_core.heads.uncertainty import FOLDER as UNCERTAINTY_FOLDER
from vidplan_core.heads.uncertainty import load_uncertainty
from vidplan_core.heads.value import FOLDER as VALUE_FOLDER
from vidplan_core.heads.value import load_value
from vidplan_core.language.instruction import Instruction
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.world_model import Imagination, WorldModel

# Grounds an instruction before the present of a past of one.
Grounder = Callable[[Context, Instruction], InstructionGrounding]
# The same in what the image tower sees, (1, views, width, rows, columns), from poses (1, frames).
SeenGrounder = Callable[
    [Tensor, PoseChunk, Instruction, MapFilter | None], InstructionGrounding
]


class Estimate(Protocol):
    """What an uncertainty head says of new frames."""

    @property
    def entropy(self) -> Tensor:
        """In [0, 1], (candidates, frames, channels, rows, columns)."""
        ...


class UncertaintyEstimator(Protocol):
    """Estimates how far off imagined latents may be, as `heads.uncertainty` does."""

    def predict_error(
        self, imagination: Imagination, frames: Sequence[int] | None = None
    ) -> Estimate:
        """Of frames by their numbers in the chunk, of all new ones (from 1) if None.

        Differentiable in the imagination.
        """
        ...


class ValueEstimator(Protocol):
    """Estimates how near to success imagined frames are, as `heads.value` does."""

    @property
    def sees_the_end(self) -> bool:
        """Whether it knows a probability of being done."""
        ...

    def predict_value(
        self, imagination: Imagination, grounding: InstructionGrounding,
        frames: Sequence[int] | None = None,
    ) -> Tensor:  # fmt: skip
        """Expected value in [0, 1], (candidates, frames), of frames as `predict_error`."""
        ...

    def predict_done(self, imagination: Imagination, grounding: InstructionGrounding) -> Tensor:
        """Probability that the task is done in the new frames, (candidates, new frames)."""
        ...


@dataclass(frozen=True)
class Heads:
    """The heads that a planner asks; any of them may be absent.

    Attributes:
        uncertainty_head: None where imaginations are taken as they are.
        value_head: None where only the semantic reward counts.
        ground: finds an instruction in the present, for the value head; ground_seen: in what
            the image tower sees.
        tower: looks at views; None where no head asks.
        bound: turns expected values into values that are reached with known probability.
        novelty: knows what training scenes look like; None where nobody does.
        hallucination: finds what an imagination cannot have from what was seen, for pictures.
        success: sees whether an instruction is fulfilled; None where only a value head says it.
        grasp: sees where and how to grasp its target; None where nobody does.
        relevancy: reads from latents where a phrase is; None where only the tower does.
    """

    uncertainty_head: UncertaintyEstimator | None = None
    value_head: ValueEstimator | None = None
    ground: Grounder | None = None
    ground_seen: SeenGrounder | None = None
    tower: SemanticScorer | None = None
    bound: LowerBound | None = None
    novelty: Novelty | None = None
    hallucination: HallucinationHead | None = None
    success: SuccessEstimator | None = None
    grasp: GraspEstimator | None = None
    relevancy: LatentReader | None = None

    def __post_init__(self) -> None:
        if self.value_head is not None and self.ground is None:
            raise ModelError('a value head needs `ground`: it reads a grounded instruction')

    def seen(self, views: Tensor) -> Tensor | None:
        """Views (batch, views, 3, height, width) in [0, 1] as the image tower sees them.

        Embeddings of patches (batch, views, width, rows, columns); None where no head asks.
        """
        return None if self.tower is None else self.tower.dense_views(views)

    def maps_of(self, seen: Tensor | None, phrase: str) -> Tensor | None:
        """Relevancy (batch, views, rows, columns) of a phrase in views as `seen` gives them."""
        if self.tower is None or seen is None:
            return None
        return self.tower.compare(seen.flatten(0, 1), [phrase])[:, 0].unflatten(0, seen.shape[:2])

    def strangeness(self, present: Tensor, seen: Tensor | None) -> float | None:
        """How strange a scene is, see `Novelty.score`; None where nobody knows.

        Args:
            present: its latents, (1, channels, rows, columns).
            seen: its views as `seen` gives them.
        """
        return None if self.novelty is None else float(self.novelty.score(present, seen)[0])

    @property
    def look_closely(self) -> bool:
        """Whether any head asks what the image tower sees."""
        remembers = self.novelty is not None and self.novelty.sees_patches
        return remembers or self.ground_seen is not None

    @property
    def see_imaginations(self) -> bool:
        """Whether any head looks at what is imagined."""
        return self.uncertainty_head is not None or self.value_head is not None

    @property
    def sees_the_end(self) -> bool:
        """Whether a value head knows a probability of being done."""
        return self.value_head is not None and self.value_head.sees_the_end

    def heat(self, imagination: Imagination) -> Tensor | None:
        """How little new frames are to be believed, in [0, 1], for pictures.

        Entropy of the errors, (candidates, frames, channels, rows, columns), or the probability
        that a place cannot follow from what was seen, where that is larger; None without a head.
        """
        if self.uncertainty_head is None:
            return None
        entropy = self.uncertainty_head.predict_error(imagination).entropy
        if self.hallucination is None:
            return entropy
        wrong = self.hallucination.probability(HeadInput.of(imagination))
        return torch.maximum(entropy, wrong[:, :, None].to(entropy))

    def done(self, imagination: Imagination, grounding: InstructionGrounding) -> Tensor:
        """Probability that the task is done in the new frames, (candidates, new frames).

        Raises:
            ModelError: there is no value head that knows it.
        """
        if self.value_head is None or not self.sees_the_end:
            raise ModelError('these models have no value head that counts frames to the end')
        return self.value_head.predict_done(imagination, grounding)

    def grounding(self, context: Context, instruction: Instruction) -> InstructionGrounding | None:
        """What `value` needs of an instruction, once per past; None without a value head."""
        return None if self.ground is None else self.ground(context, instruction)

    def seen_grounding(
        self,
        seen: Tensor | None,
        poses: PoseChunk,
        instruction: Instruction,
        keep: MapFilter | None = None,
    ) -> InstructionGrounding | None:
        """An instruction in views as `seen` gives them, from poses (1, frames).

        Where things are is looked up in what was seen, never in what is imagined, which blurs
        them; None without a value head.
        """
        if self.ground_seen is None or seen is None:
            return None
        return self.ground_seen(seen, poses, instruction, keep)

    def value(
        self, imagination: Imagination, grounding: InstructionGrounding, frames: Sequence[int]
    ) -> Tensor:
        """Values of frames by their numbers, from 1, (candidates, frames).

        Raises:
            ModelError: there is no value head.
        """
        if self.value_head is None:
            raise ModelError('these models have no value head')
        value = self.value_head.predict_value(imagination, grounding, frames)
        return value if self.bound is None else self.bound.of(value)


def load_heads(
    models: Path,
    world_model: WorldModel,
    scorer: SemanticScorer,
    *,
    conformal: bool = False,
    device: str | torch.device = 'cpu',
    robot: RobotModel | None = None,
) -> Heads:
    """What a models folder has of heads, each in a folder of its name.

    Raises:
        ModelError: a head is corrupt or does not fit the world model or the scorer.
    """
    channels = world_model.mean.shape[2]
    heads = Heads()
    if (models / UNCERTAINTY_FOLDER).is_dir():
        uncertainty = load_uncertainty(models, device)
        uncertainty.config.check_fits(world_model.config, channels)
        heads = replace(heads, uncertainty_head=uncertainty)
    if (models / VALUE_FOLDER).is_dir():
        value = load_value(models, device)
        value.config.check_fits(world_model.config, channels)
        value.check_scorer(scorer)
        if value.config.offsets and not world_model.config.cameras:
            raise ModelError(
                'the value head reads places, which this world model cannot give: it does not '
                'know its cameras; train either anew'
            )
        heads = replace(
            heads,
            value_head=value,
            ground=lambda context, words: _ground(scorer, world_model, context, words),
            ground_seen=lambda seen, poses, words, keep: ground_dense(
                scorer, world_model, seen, poses.part([-1]), [words], keep
            ),
            bound=load_bound(models / VALUE_FOLDER) if conformal else None,
        )
    if (models / NOVELTY_FOLDER).is_dir():
        novelty = load_novelty(models, device)
        novelty.config.check_fits(world_model.config, channels, scorer.dim)
        heads = replace(heads, novelty=novelty)
    if (models / HALLUCINATION_FOLDER).is_dir():
        hallucination = load_hallucination(models, device)
        hallucination.config.check_fits(world_model.config, channels)
        heads = replace(heads, hallucination=hallucination)
    heads = _with_detectors(heads, models, world_model, scorer, device, robot)
    return replace(heads, tower=scorer) if heads.look_closely else heads


def _with_detectors(
    heads: Heads, models: Path, world_model: WorldModel, scorer: SemanticScorer,
    device: str | torch.device, robot: RobotModel | None,
) -> Heads:  # fmt: skip
    """The heads with what a models folder has of `success/`, `grasp/` and `relevancy/`."""
    cameras = world_model.config.cameras
    if (models / SUCCESS_FOLDER).is_dir():
        detector = load_success(models, device)
        detector.config.check_fits(world_model.config, scorer)
        heads = replace(heads, success=detector.seen_by(cameras))
    if (models / GRASP_FOLDER).is_dir():
        grasp = load_grasp(models, device)
        grasp.config.check_fits(world_model.config, scorer)
        heads = replace(heads, grasp=grasp.seen_by(cameras, robot))
    if (models / RELEVANCY_FOLDER).is_dir():
        reader = load_latent_relevancy(models, device)
        reader.config.check_fits(world_model.mean.shape[2], scorer)
        views = len(world_model.config.views)
        heads = replace(heads, relevancy=reader.read_for(scorer, views))
    return heads


def _ground(
    scorer: SemanticScorer, model: WorldModel, context: Context, instruction: Instruction
) -> InstructionGrounding:
    poses = context.poses.rows(slice(0, 1)).part([-1])
    return ground(scorer, model, context.latents[:1, -1], poses, [instruction])
