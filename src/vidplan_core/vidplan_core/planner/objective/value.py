# SPDX-License-Identifier: Apache-2.0
"""Value: how near to success the value head finds the frames, beside coming to rest."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from vidplan_core.heads.bundle import Heads
from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.planner.dynamics import WorldModelDynamics
from vidplan_core.planner.interfaces import Situation
from vidplan_core.planner.motion.space import MotionSpace
from vidplan_core.planner.objective.combination import COMBINATIONS, combine
from vidplan_core.planner.objective.frames import ScoredFrames
from vidplan_core.planner.objective.term import Term
from vidplan_core.planner.parts import PlannerParts


@dataclass(frozen=True)
class ValueTerm(Term):
    """The expected value in [0, 1].

    Before imagining, the value of coming to rest is known. A value that is high already would
    otherwise be at stake in every motion, and the arm would hover where a success is near enough.

    Attributes:
        heads: with a value head.
        dynamics: imagines coming to rest, where imaginations are weighted by uncertainty.
        motions: how the arm comes to rest.
        numbers: of the frames that are scored, from 1.
        grounding: of the cycle's instruction.
        rest_value: of the scored frames if the arm comes to rest, (1, frames); None where no
            score depends on it.
        pessimistic: whether scores depend on what was known before.
    """

    heads: Heads
    dynamics: WorldModelDynamics
    motions: MotionSpace
    numbers: tuple[int, ...]
    grounding: InstructionGrounding | None = None
    rest_value: Tensor | None = None
    pessimistic: bool = True

    @classmethod
    def build(cls, weight: float, parts: PlannerParts) -> ValueTerm | None:
        """Make the term; None without a value head."""
        if parts.heads.value_head is None:
            return None
        motions, numbers = MotionSpace.build(parts), parts.config.score_frames
        pessimistic = COMBINATIONS[parts.config.combination] is combine
        return cls(
            weight, parts.heads, parts.dynamics, motions, numbers, pessimistic=pessimistic
        )

    def at(self, situation: Situation) -> ValueTerm:
        """Ground the instruction, and imagine coming to rest where a score depends on it."""
        grounding = situation.grounding
        if grounding is None:
            grounding = self.heads.grounding(situation.context, situation.instruction)
        grounded = replace(self, grounding=grounding)
        counts = self.pessimistic and self.weight != 0.0
        if grounding is None or self.heads.uncertainty_head is None or not counts:
            return grounded
        imagination = situation.rest
        if imagination is None:
            imagination = self.dynamics.predict(situation, self.motions.rest(situation.start))
        return replace(
            grounded, rest_value=self.heads.value(imagination, grounding, self.numbers)
        )

    def evidence(self, frames: ScoredFrames) -> Tensor | None:
        """The frames' value, (batch,); None for frames that nobody imagined."""
        if frames.imagination is None or self.grounding is None:
            return None
        return self.heads.value(frames.imagination, self.grounding, frames.numbers).flatten(0, 1)

    def prior(self, frames: ScoredFrames) -> Tensor:
        """The value of coming to rest, (batch,)."""
        if self.rest_value is None:
            return super().prior(frames)
        return self.rest_value.expand(frames.poses.position.shape[:2]).flatten(0, 1)

    def report(self, name: str, evidence: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """The value, and that of coming to rest where it counts."""
        return {name: evidence} | ({} if self.rest_value is None else {f'rest_{name}': prior})
