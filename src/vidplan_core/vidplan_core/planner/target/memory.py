# SPDX-License-Identifier: Apache-2.0
"""Where the target is, from one real look to the next."""

from __future__ import annotations

import torch
from torch import Tensor

from vidplan_core.planner.target.locating import Sighting

# Views that place the target within this of each other mean the same thing.
AGREE_M = 0.06
# A view counts as seeing the target from this certainty (0.5 is the scorer's threshold).
SEEN = 0.5


class TargetMemory:
    """Agreement of the views over time; nothing but pictures and the flange pose enters it."""

    def __init__(self) -> None:
        self.place: Tensor | None = None
        self.missed = 0

    def update(self, sighting: Sighting, trust_m: Tensor) -> bool:
        """Take in one look, a sighting of batch 1; returns whether any view shows the target."""
        certainty, points = sighting.certainty[0], sighting.points[0]
        if not bool((certainty >= SEEN).any()):
            self.missed += 1
            return False
        weight = certainty * (certainty >= SEEN) / trust_m.to(certainty).square()
        place, support = _agreement(points, weight)
        self.missed = 0
        if self.place is None:
            self.place = place
            return True
        near = float((place - self.place).norm()) < AGREE_M
        if near:
            self.place = 0.4 * self.place + 0.6 * place
        elif float(support) > 0.5:  # most of the evidence now points elsewhere
            self.place = place
        return True


def _agreement(points: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted mean of the views around the best supported one, and its share of the weight."""
    apart = torch.cdist(points[None], points[None])[0]
    together = torch.exp(-0.5 * (apart / AGREE_M) ** 2) * weight
    best = together.sum(-1).mul(weight > 0).argmax()
    share = together[best]
    place = (share[:, None] * points).sum(0) / share.sum()
    return place, share.sum() / weight.sum()
