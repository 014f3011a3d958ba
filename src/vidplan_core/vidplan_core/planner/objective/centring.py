# SPDX-License-Identifier: Apache-2.0
"""Centring: how near the target's region is to where it should be in the picture.

The paper's second objective, `-lambda d(c, c_r)`: it needs no calibrated camera. In views that do
not move with the hand it is the same for every motion, unless the motion moves the target.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidplan_core.planner.objective.frames import ScoredFrames
from vidplan_core.planner.objective.term import Term
from vidplan_core.planner.parts import PlannerParts

# As far from the centre as a target counts that a view does not show, in its width and height.
OUT_OF_SIGHT = 1.0


@dataclass(frozen=True)
class CentringTerm(Term):
    """Minus the distance from a region's centroid to the desired centre, in sizes of a view.

    The mean over the views. Where a target is hardly seen, its centroid means nothing: the
    distance then goes over into `OUT_OF_SIGHT`.

    Attributes:
        centre: desired x and y in [0, 1] of every view, from its top left corner.
    """

    centre: tuple[float, float] = (0.5, 0.5)

    @classmethod
    def build(cls, weight: float, parts: PlannerParts) -> CentringTerm:
        """Make the term with the configured centre."""
        x, y = parts.config.centre
        return cls(weight, (x, y))

    def evidence(self, frames: ScoredFrames) -> Tensor | None:
        """Minus the distance, (batch,), in [-1.5, 0]; None for frames without pictures."""
        if frames.sighting is None:
            return None
        return -self._distance(frames.sighting.centroids, frames.sighting.certainty)

    def prior(self, frames: ScoredFrames) -> Tensor:
        """Minus the distance at present, (batch,): a hand that stays sees the same."""
        seen = frames.situation.sighting
        if seen is None:
            return super().prior(frames)
        views = list(frames.chosen) or slice(None)
        known = -self._distance(seen.centroids[..., views, :], seen.certainty[..., views])
        return known.to(frames.position).expand(len(frames.position))

    def report(self, name: str, evidence: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """The distance itself, in sizes of a view."""
        return {'off_centre': -evidence}

    def _distance(self, centroids: Tensor, certainty: Tensor) -> Tensor:
        apart = centroids - centroids.new_tensor(self.centre)
        distance = apart.square().sum(-1).add(1e-8).sqrt()
        return (certainty * distance + (1.0 - certainty) * OUT_OF_SIGHT).mean(-1)
