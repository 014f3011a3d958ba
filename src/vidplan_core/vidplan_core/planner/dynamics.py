# SPDX-License-Identifier: Apache-2.0
"""What candidates would lead to: as the world model imagines it, or nothing."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan_core.data.action import PoseChunk
from vidplan_core.planner.interfaces import Situation
from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_core.world_model.world_model import Imagination, WorldModel


@dataclass(frozen=True)
class WorldModelDynamics:
    """Imagines all candidates in one batch, with the same noise in every cycle."""

    model: WorldModel
    sampling: SamplingConfig
    seed: int = 0

    def predict(self, situation: Situation, chunk: PoseChunk) -> Imagination:
        """What the world model imagines of a chunk (candidates, frames)."""
        return self.model.imagine(situation.context, chunk, self.sampling, self.seed)


class NoDynamics:
    """Imagines nothing: candidates count by their poses alone."""

    def predict(self, situation: Situation, chunk: PoseChunk) -> None:
        """Nothing."""
        return
