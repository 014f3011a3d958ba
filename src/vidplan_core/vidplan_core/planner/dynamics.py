# SPDX-License-Identifier: Apache-2.0
"""What candidates would lead to: as the world model imagines it, or nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

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
        if situation.grounding is not None:
            chunk = commanded_course(situation, chunk, self.model.config.frame_period_s)
        return self.model.imagine(situation.context, chunk, self.sampling, self.seed)


@dataclass(frozen=True)
class PresentDynamics:
    """Shows the present whatever moves: what a plan is worth without imagining it."""

    imagining: WorldModelDynamics

    def predict(self, situation: Situation, chunk: PoseChunk) -> Imagination:
        """The present in place of every frame, and what a hand that stays would measure."""
        return self.imagining.model.unmoved(self.imagining.predict(situation, chunk))


# The gripper of the cell closes in 0.6 s; a Franka hand at its usual 0.1 m/s in 0.8 s.
GRIPPER_SPEED = 1.6  # closedness per second


def commanded_course(situation: Situation, chunk: PoseChunk, period_s: float) -> PoseChunk:
    """A chunk whose closedness is the course of the command, as world models learn it.

    Chunks hold what is commanded at once; the command takes time. Frame 0 says what is measured.
    """
    begun, goal = situation.start.grip, chunk.closedness[:, 1:]
    steps = torch.arange(1, chunk.frames).to(goal)
    most = GRIPPER_SPEED * period_s * steps
    course = begun + torch.maximum(torch.minimum(goal - begun, most), -most)
    measured = situation.context.poses.closedness[:1, -1:].to(goal).expand(len(chunk), 1)
    return replace(chunk, closedness=torch.cat([measured, course], 1))


class NoDynamics:
    """Imagines nothing: candidates count by their poses alone."""

    def predict(self, situation: Situation, chunk: PoseChunk) -> None:
        """Nothing."""
        return
