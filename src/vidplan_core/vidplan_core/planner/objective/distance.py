# SPDX-License-Identifier: Apache-2.0
"""Distance: how near the tool comes to the target, as the views show both."""

from __future__ import annotations

from torch import Tensor

from vidplan_core.planner.objective.frames import ScoredFrames
from vidplan_core.planner.objective.term import Term


class DistanceTerm(Term):
    """Metres from the tool to the target, less is better.

    Before imagining, the distance to the remembered target is known. With a weight of 10 per m,
    10 cm make one unit; the other terms are units already.
    """

    def evidence(self, frames: ScoredFrames) -> Tensor:
        """Minus the distance to where the views show the target, (batch,), m."""
        return -_distance(frames.tool, frames.target)

    def prior(self, frames: ScoredFrames) -> Tensor:
        """Minus the distance to where it is remembered, (batch,), m."""
        return -_distance(frames.tool, frames.situation.target)

    def report(self, name: str, evidence: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """The distance itself, m."""
        return {f'{name}_m': -evidence}


def _distance(tool: Tensor, target: Tensor) -> Tensor:
    """Metres (...,) between points (..., 3), with a gradient at zero."""
    return (tool - target).square().sum(-1).add(1e-8).sqrt()
