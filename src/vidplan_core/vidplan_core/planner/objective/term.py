# SPDX-License-Identifier: Apache-2.0
"""What every term of the objective has: a weight, what was known, and what frames say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vidplan_core.planner.interfaces import Situation
from vidplan_core.planner.objective.frames import ScoredFrames

if TYPE_CHECKING:
    from vidplan_core.planner.parts import PlannerParts


@dataclass(frozen=True)
class Term:
    """One reason why frames are good; a subclass says at least `evidence`.

    Attributes:
        weight: of evidence and prior in the score, from the configuration.
    """

    weight: float

    @classmethod
    def build(cls, weight: float, parts: PlannerParts) -> Term | None:
        """Make the term from what is loaded; None where these models cannot say it."""
        return cls(weight)

    def at(self, situation: Situation) -> Term:
        """The term of one cycle; what does not depend on the motion is computed here."""
        return self

    def evidence(self, frames: ScoredFrames) -> Tensor | None:
        """How good each frame is, (batch,), more is better; differentiable.

        None where these frames cannot say, such as frames without pictures.
        """
        raise NotImplementedError(f'{type(self).__name__} has no evidence')

    def prior(self, frames: ScoredFrames) -> Tensor:
        """What was known before imagining, (batch,), in the unit of the evidence."""
        return torch.zeros(len(frames.position)).to(frames.position)

    def report(self, name: str, evidence: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """What plans report of this term, by name, each (batch,)."""
        return {name: evidence}
