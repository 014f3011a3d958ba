# SPDX-License-Identifier: Apache-2.0
"""Straight motions of the hand: what refinement moves in, and how an arm comes to rest."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.geometry.pace import ArmPace, joint_velocity
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.se3 import so3_log
from vidplan_core.geometry.workspace import WorkspaceBox
from vidplan_core.planner.interfaces import Start
from vidplan_core.planner.motion.hermite import hermite_chunk, hermite_weights
from vidplan_core.planner.parts import PlannerParts


@dataclass(frozen=True)
class MotionSpace:
    """Motions (3,) of the hand within one chunk, base frame, m.

    Attributes:
        frames: of a chunk, the present included.
        period_s: between frames.
        box: where the tool may end.
        robot: whose tool it is.
    """

    frames: int
    period_s: float
    box: WorkspaceBox
    robot: RobotModel

    @classmethod
    def build(cls, parts: PlannerParts) -> MotionSpace:
        """The motions of a configuration, in the box that the tool may plan in."""
        model = parts.world_model.config
        return cls(model.frames, model.frame_period_s, parts.box, parts.robot)

    @property
    def duration_s(self) -> float:
        """Time of a chunk, s."""
        return (self.frames - 1) * self.period_s

    def motion_of(self, start: Start, chunk: PoseChunk) -> Tensor:
        """Motions (N, 3) that lead where chunks (N, frames) end."""
        return chunk.position[:, -1] - start.position

    def chunk(
        self, start: Start, motion: Tensor, closedness: float | Tensor | None = None
    ) -> PoseChunk:
        """Chunks (N, frames) of motions (N, 3), m; differentiable in them.

        They end inside the box, and are shortened to what the arm can do in their time.
        `closedness` is that of the start if None.
        """
        return self._straight(start, self._doable(start, self._inside(start, motion)), closedness)

    def _straight(
        self, start: Start, motion: Tensor, closedness: float | Tensor | None = None,
        turn: Tensor | None = None,
    ) -> PoseChunk:  # fmt: skip
        """Chunks of motions (N, 3) and turns (N, 3), rad; without one a turn only brakes."""
        grip = start.closedness if closedness is None else closedness
        return hermite_chunk(
            start.position, start.rotation, start.velocity, motion,
            self._slowing(start).expand_as(motion) if turn is None else turn,
            grip[:, None] if isinstance(grip, Tensor) else grip,
            self.frames, self.period_s, start.turning,
        )  # fmt: skip

    def _doable(self, start: Start, motion: Tensor) -> Tensor:
        """Motions (N, 3), of which the arm does no more beyond braking than it can."""
        braking = self.braking(start)
        more = motion - braking
        return braking + self._share(start, more, torch.zeros_like(more)) * more

    def _share(self, start: Start, move: Tensor, turn: Tensor) -> Tensor:
        """Share (N, 1) that can be done of displacements and turns (N, 3) beyond braking."""
        steps = torch.arange(self.frames, dtype=move.dtype, device=move.device)
        shape, _ = hermite_weights(steps / (self.frames - 1))
        still = self._straight(start, self.braking(start)[None])
        braked = still.position[0], so3_log(still.rotation[0] @ start.rotation.mT)
        way, turned = (shape[:, None] * values[:, None] for values in (move, turn))
        dq = joint_velocity(self.robot, start.q, start.velocity) if start.dq is None else start.dq
        pace = ArmPace(self.robot)
        return pace.share(start.q, dq, braked, way, turned, self.period_s)[:, None]

    def _slowing(self, start: Start) -> Tensor:
        """Turn (3,) in which a chunk brakes: by a third of its way, without turning back."""
        return start.turning * self.duration_s / 3.0

    def braking(self, start: Start) -> Tensor:
        """Displacement (3,) in which a chunk brakes: the least that does not turn back, v T/3."""
        return start.velocity * self.duration_s / 3.0

    def rest(self, start: Start) -> PoseChunk:
        """The chunk (1, frames) that brakes to rest without turning back."""
        return self._straight(start, self._inside(start, self.braking(start)[None]))

    def _inside(self, start: Start, motion: Tensor) -> Tensor:
        """Motions (N, 3), ending where the box allows the tool to be.

        An arm that stands outside is not asked to jump back: the box then reaches to where it is.
        """
        tool = tcp_position(start.position, start.rotation, self.robot)
        lower = torch.minimum(tool.new_tensor(self.box.lower), tool)
        upper = torch.maximum(tool.new_tensor(self.box.upper), tool)
        return torch.maximum(torch.minimum(tool + motion, upper), lower) - tool
