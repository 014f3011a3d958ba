# SPDX-License-Identifier: Apache-2.0
"""Where imagined strokes bring a thing: what their last pictures show, beside geometry.

In 27 choices among 7 strokes of 8 tuning scenes the pictures alone were 4.0 cm off on average,
geometry alone 3.0 cm, both together 2.7 cm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.planner.interfaces import Situation
from vidplan_core.planner.objective.decoding import decode_frames
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.target.locating import Sighting
from vidplan_core.world_model.world_model import Imagination

# Places farther than this from where geometry brings the thing count little; how well that is
# known.
GATE_M, KNOWN_M = 0.08, 0.03


@dataclass(frozen=True)
class ImaginedEnds:
    """Looks for the target in the last imagined pictures.

    Attributes:
        parts: that decode and localise.
    """

    parts: PlannerParts

    @torch.no_grad()
    def __call__(
        self, situation: Situation, chunk: PoseChunk, imagination: Imagination, known: np.ndarray
    ) -> np.ndarray:
        """See `SeenEnds`."""
        parts, last = self.parts, chunk.frames - 1
        views = decode_frames(
            parts.world_model, imagination.latents, (last,), parts.config.decode_neighbours
        )
        sighting = parts.locator.look(
            views[:, 0], chunk.position[:, last], chunk.rotation[:, last],
            situation.instruction.target, chosen=situation.chosen,
        )  # fmt: skip
        expected = torch.as_tensor(known).to(sighting.points)
        return fused(sighting, parts.locator.trust_m, expected).double().cpu().numpy()


def fused(sighting: Sighting, trust_m: Tensor, expected: Tensor) -> Tensor:
    """Places (candidates, 2) by certainty and trust of views that agree with what is expected."""
    points = sighting.points[..., :2]
    apart = (points - expected[:, None]).square().sum(-1)
    weight = sighting.certainty * torch.exp(-0.5 * apart / GATE_M**2)
    weight = (weight / trust_m.to(weight).square())[..., None]
    faint = 1.0 / KNOWN_M**2
    return ((weight * points).sum(1) + faint * expected) / (weight.sum(1) + faint)
