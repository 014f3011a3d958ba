# SPDX-License-Identifier: Apache-2.0
"""Motions of a hand that grasps: straight, turning about the vertical, with a gripper command."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.pace import ArmPace, joint_velocity
from vidplan_core.geometry.se3 import so3_log
from vidplan_core.geometry.workspace import PLANNING_BOX
from vidplan_core.planner.interfaces import Start
from vidplan_core.planner.motion.hermite import hermite_chunk, hermite_weights
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
        move, turn = self._inside(start, motion[:, :3]), motion[:, 3] / LEVER_M
        vertical = motion.new_tensor([0.0, 0.0, 1.0])
        move, turned = self._in_time(start, move, turn[:, None] * vertical)
        return hermite_chunk(
            start.position, start.rotation, start.velocity, move, turned,
            _columns(start.closedness if closedness is None else closedness),
            self.frames, self.period_s, start.turning,
        )  # fmt: skip

    def motion_of(self, start: Start, chunk: PoseChunk) -> Tensor:
        """Motions (N, 4) of chunks that this space has made, as far as they were not cut."""
        move = chunk.position[:, -1] - start.position
        turn = so3_log(chunk.rotation[:, -1] @ start.rotation.mT)[:, 2:]
        return torch.cat([move, LEVER_M * turn], 1)

    def _in_time(self, start: Start, move: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
        """The share of displacements (N, 3) and turns (N, 3) that the arm can do."""
        braking, slowing = self.braking(start), start.turning * self.duration_s / 3.0
        steps = torch.arange(self.frames, dtype=move.dtype, device=move.device)
        shape, _ = hermite_weights(steps / (self.frames - 1))
        still = self._straight(start, braking[None])
        braked = still.position[0], so3_log(still.rotation[0] @ start.rotation.mT)
        more = move - braking, turn - slowing
        way, turned = (shape[:, None] * values[:, None] for values in more)
        dq = joint_velocity(self.robot, start.q, start.velocity) if start.dq is None else start.dq
        share = ArmPace(self.robot).share(start.q, dq, braked, way, turned, self.period_s)[:, None]
        return braking + share * more[0], slowing + share * more[1]


def _columns(closedness: float | Tensor) -> float | Tensor:
    """A tensor (N,) as one that broadcasts to (N, frames)."""
    return closedness[:, None] if isinstance(closedness, Tensor) else closedness
