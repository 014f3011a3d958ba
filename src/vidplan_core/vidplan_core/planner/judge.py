# SPDX-License-Identifier: Apache-2.0
"""What the heads say about an imagination: how sure it is, and what it is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from vidplan_core.errors import ModelError
from vidplan_core.heads.conformal import LowerBound, load_bound
from vidplan_core.heads.grounding import Reading, read
from vidplan_core.heads.novelty import FOLDER as NOVELTY_FOLDER
from vidplan_core.heads.novelty import Novelty, load_novelty
from vidplan_core.heads.uncertainty import FOLDER as UNCERTAINTY_FOLDER
from vidplan_core.heads.uncertainty import load_uncertainty
from vidplan_core.heads.value import FOLDER as VALUE_FOLDER
from vidplan_core.heads.value import load_value
from vidplan_core.language.instruction import Instruction
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.world_model import Imagination, WorldModel


class Estimate(Protocol):
    """What an uncertainty head says of new frames."""

    @property
    def entropy(self) -> Tensor:
        """In [0, 1], (candidates, frames, channels, rows, columns)."""
        ...


class UncertaintyJudge(Protocol):
    """Judges how far off imagined latents may be, as `uncertainty.UncertaintyHead` does."""

    def judge(self, imagination: Imagination, frames: Sequence[int] | None = None) -> Estimate:
        """Of frames by their numbers in the chunk, of all new ones (from 1) if None.

        Differentiable in the imagination.
        """
        ...


class ValueJudge(Protocol):
    """Judges how near to success imagined frames are, as `reward.ValueHead` does."""

    def judge(self, imagination: Imagination, reading: Reading) -> Tensor:
        """Expected value of the new frames in [0, 1], (candidates, new frames)."""
        ...


@dataclass(frozen=True)
class Judgement:
    """Of some new frames of an imagination.

    Attributes:
        uncertainty: (candidates, frames, channels, rows, columns) in [0, 1], None if unknown.
        value: expected value in [0, 1], (candidates, frames), None if unknown.
        staying: that of the same frames if the arm comes to rest instead, (1, frames); None
            where it does not matter.
    """

    uncertainty: Tensor | None = None
    value: Tensor | None = None
    staying: Tensor | None = None


@dataclass(frozen=True)
class Judge:
    """The heads that a planner asks; any of them may be absent.

    Attributes:
        uncertainty_head: None where imaginations are taken as they are.
        value_head: None where only the semantic reward counts.
        read: what the value head is told of an instruction, by the present of a past of one.
        bound: turns expected values into values that are reached with known probability.
        novelty: knows what training scenes look like; None where nobody does.
    """

    uncertainty_head: UncertaintyJudge | None = None
    value_head: ValueJudge | None = None
    read: Callable[[Context, str | Instruction], Reading] | None = None
    bound: LowerBound | None = None
    novelty: Novelty | None = None

    def __post_init__(self) -> None:
        if self.value_head is not None and self.read is None:
            raise ModelError('a value head needs `read`: it is told of an instruction')

    def __bool__(self) -> bool:
        """Whether there is any head to ask."""
        return self.uncertainty_head is not None or self.value_head is not None

    def reading(self, context: Context, instruction: str | Instruction) -> Reading | None:
        """What `judge` needs of an instruction, once per past; None without a value head."""
        return None if self.read is None else self.read(context, instruction)

    def judge(
        self, imagination: Imagination, reading: Reading | None, frames: Sequence[int]
    ) -> Judgement:
        """Ask every head once for all candidates, about frames by their numbers, from 1."""
        uncertainty = None
        if self.uncertainty_head is not None:
            uncertainty = self.uncertainty_head.judge(imagination, frames).entropy
        return Judgement(uncertainty, self.value(imagination, reading, frames))

    def value(
        self, imagination: Imagination, reading: Reading | None, frames: Sequence[int]
    ) -> Tensor | None:
        """Values of frames by their numbers, from 1, (candidates, frames); None without head."""
        if self.value_head is None:
            return None
        assert reading is not None
        value = self.value_head.judge(imagination, reading)
        value = value[:, [frame - 1 for frame in frames]]
        return value if self.bound is None else self.bound.of(value)


def load_judge(
    models: Path,
    world_model: WorldModel,
    scorer: SemanticScorer,
    *,
    conformal: bool = False,
    device: str | torch.device = 'cpu',
) -> Judge:
    """The judge with what a models folder has of `uncertainty/`, `value/` and `novelty/`.

    Raises:
        ModelError: a head is corrupt or does not fit the world model or the scorer.
    """
    channels = world_model.mean.shape[2]
    judge = Judge()
    if (models / UNCERTAINTY_FOLDER).is_dir():
        doubt = load_uncertainty(models, device)
        doubt.config.check_fits(world_model.config, channels)
        judge = replace(judge, uncertainty_head=doubt)
    if (models / VALUE_FOLDER).is_dir():
        value = load_value(models, device)
        value.config.check_fits(world_model.config, channels)
        value.check_scorer(scorer)
        if value.config.offsets and not world_model.config.cameras:
            raise ModelError(
                'the value head reads places, which this world model cannot tell: it does not '
                'know its cameras; train either anew'
            )
        judge = replace(
            judge,
            value_head=value,
            read=lambda context, words: _read(scorer, world_model, context, words),
            bound=load_bound(models / VALUE_FOLDER) if conformal else None,
        )
    if (models / NOVELTY_FOLDER).is_dir():
        novelty = load_novelty(models, device)
        novelty.config.check_fits(world_model.config, channels)
        judge = replace(judge, novelty=novelty)
    return judge


def _read(
    scorer: SemanticScorer, model: WorldModel, context: Context, words: str | Instruction
) -> Reading:
    poses = context.poses.rows(slice(0, 1)).part([-1])
    return read(scorer, model, context.latents[:1, -1], poses, [words])
