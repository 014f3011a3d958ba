# SPDX-License-Identifier: Apache-2.0
"""Motions of a hand that grasps: straight, turning about the vertical, with a gripper command."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.se3 import so3_log
from vidplan_core.geometry.workspace import PLANNING_BOX
from vidplan_core.planner.interfaces import Start
from vidplan_core.planner.motion.space import MotionSpace
from vidplan_core.planner.parts import PlannerParts

# A turn counts as the way of a point this far from its axis: about where fingers end on a thing.
LEVER_M = 0.1


@dataclass(frozen=True)
class TurningMotions(MotionSpace):
    """Motions (4,): displacement in the base frame, m, and turn about its z, rad times LEVER_M.

    The unit of all four is m, so that one radius bounds them.
    """

    @classmethod
    def build(cls, parts: PlannerParts) -> TurningMotions:
        """The motions of a configuration, down to the table."""
        model = parts.world_model.config
        return cls(model.frames, model.frame_period_s, PLANNING_BOX, parts.robot)

    def chunk(
        self, start: Start, motion: Tensor, closedness: float | Tensor | None = None
    ) -> PoseChunk:
        """Chunks (N, frames) of motions (N, 4); differentiable in them.

        They end inside the box, and are shortened to what the arm can do in their time. The
        closedness, a number or (N,), is what the gripper is commanded from the first frame on.
        """
        vertical = motion.new_tensor([0.0, 0.0, 1.0])
        braking, slowing = self.braking(start), self._slowing(start)
        move = self._inside(start, motion[:, :3]) - braking
        turn = (motion[:, 3] / LEVER_M)[:, None] * vertical - slowing
        share = self._share(start, move, turn)
        return self._straight(start, braking + share * move, closedness, slowing + share * turn)

    def motion_of(self, start: Start, chunk: PoseChunk) -> Tensor:
        """Motions (N, 4) of chunks that this space has made, as far as they were not cut."""
        move = chunk.position[:, -1] - start.position
        turn = so3_log(chunk.rotation[:, -1] @ start.rotation.mT)[:, 2:]
        return torch.cat([move, LEVER_M * turn], 1)
