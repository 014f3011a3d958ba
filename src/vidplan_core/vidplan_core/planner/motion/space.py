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
from vidplan_core.geometry.se3 import so3_exp, so3_log
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

    def along(
        self, start: Start, position: Tensor, rotation: Tensor, closedness: Tensor
    ) -> PoseChunk:
        """Chunks along any paths, inside the box and shortened to what the arm can do.

        Args:
            start: where they begin; what the paths have done before their first frame is not.
            position: flange (N, frames, 3), base frame, m.
            rotation: flange (N, frames, 3, 3).
            closedness: (N, frames).
        """
        turned = rotation @ rotation[:, :1].mT
        places = start.position + position - position[:, :1]
        tool = tcp_position(places, turned @ start.rotation, self.robot)
        lower, upper = self._bounds(start)
        places = places + torch.maximum(torch.minimum(tool, upper), lower) - tool
        still, still_turn = self._still(start)
        more, more_turn = places - still, so3_log(turned) - still_turn
        share = self._pace(start, (still, still_turn), more, more_turn)[:, None, None]
        turns = so3_exp(still_turn + share * more_turn)
        return PoseChunk(still + share * more, turns @ start.rotation, closedness)

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
        way, turned = (shape[:, None] * values[:, None] for values in (move, turn))
        return self._pace(start, self._still(start), way, turned)[:, None]

    def _pace(
        self, start: Start, still: tuple[Tensor, Tensor], way: Tensor, turned: Tensor
    ) -> Tensor:
        """Share (N,) that can be done of what paths (N, frames, 3) add to braking."""
        dq = joint_velocity(self.robot, start.q, start.velocity) if start.dq is None else start.dq
        pace = ArmPace(self.robot)
        return pace.share(start.q, dq, still, way, turned, self.period_s, start.ddq)

    def _still(self, start: Start) -> tuple[Tensor, Tensor]:
        """Positions (frames, 3) and rotation vectors (frames, 3) of an arm that only brakes."""
        still = self._straight(start, self.braking(start)[None])
        return still.position[0], so3_log(still.rotation[0] @ start.rotation.mT)

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
        lower, upper = self._bounds(start)
        return torch.maximum(torch.minimum(tool + motion, upper), lower) - tool

    def _bounds(self, start: Start) -> tuple[Tensor, Tensor]:
        """Lower and upper corner (3,) of where the tool may be."""
        tool = tcp_position(start.position, start.rotation, self.robot)
        lower = torch.minimum(tool.new_tensor(self.box.lower), tool)
        return lower, torch.maximum(tool.new_tensor(self.box.upper), tool)
