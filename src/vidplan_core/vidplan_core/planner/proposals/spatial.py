# SPDX-License-Identifier: Apache-2.0
"""The spatial basis: one candidate per direction, as joint motions that the arm can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.geometry.pace import ArmPace, joint_velocity
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.se3 import so3_exp
from vidplan_core.geometry.workspace import PLANNING_BOX, WorkspaceBox
from vidplan_core.planner.interfaces import Situation, Start
from vidplan_core.planner.motion.hermite import hermite_weights
from vidplan_core.planner.parts import PlannerParts

Twist = tuple[float, float, float, float, float, float]

# +x, -x, +y, -y, +z, -z of the robot base frame: linear (of step_m), angular (of step_rad).
TRANSLATIONS: tuple[Twist, ...] = (
    (1, 0, 0, 0, 0, 0),
    (-1, 0, 0, 0, 0, 0),
    (0, 1, 0, 0, 0, 0),
    (0, -1, 0, 0, 0, 0),
    (0, 0, 1, 0, 0, 0),
    (0, 0, -1, 0, 0, 0),
)


@dataclass(frozen=True)
class SpatialBasis:
    """Candidate motions along fixed twists of the flange, in the robot base frame.

    Attributes:
        step_m: how far a unit of linear twist goes within a chunk, m.
        step_rad: how far a unit of angular twist turns within a chunk, rad.
        twists: one per candidate, (linear xyz, angular xyz).
        robot: whose joint limits the motions keep to.
        box: where the tool centre point may go.
    """

    step_m: float = 0.12
    step_rad: float = 0.5
    twists: Sequence[Twist] = TRANSLATIONS
    robot: RobotModel = field(default_factory=default_robot)
    box: WorkspaceBox = field(default=PLANNING_BOX)

    def __post_init__(self) -> None:
        sizes = {len(twist) for twist in self.twists}
        if sizes != {6} or min(self.step_m, self.step_rad) <= 0:
            raise ConfigError(
                f'a spatial basis needs twists of 6 numbers and positive steps; got {self}'
            )

    def propose(
        self,
        position: Tensor,
        rotation: Tensor,
        velocity: Tensor,
        q: Tensor,
        closedness: float,
        frames: int,
        period_s: float,
        dq: Tensor | None = None,
    ) -> PoseChunk:
        """Return one chunk per twist, from the present velocity to rest.

        Args:
            position: present flange (3,), m, in the robot base frame.
            rotation: present flange (3, 3).
            velocity: present linear velocity of the flange (3,), m/s.
            q: present joint angles (7,), rad.
            closedness: gripper, 0 open .. 1 closed, kept.
            frames: number of frames, the present included; at least 2.
            period_s: time between frames, s.
            dq: present joint velocities (7,), rad/s; the least that move the flange so if None.

        Returns:
            A chunk (candidates, frames); frame 0 is the given pose for all.
        """
        if frames < 2:
            raise ValueError(f'a chunk needs at least 2 frames, got {frames}')
        steps = torch.arange(frames, dtype=q.dtype, device=q.device)
        shape, start = (weights[:, None] for weights in hermite_weights(steps / (frames - 1)))
        twists = position.new_tensor([list(twist) for twist in self.twists])[:, None]
        turns = shape * self.step_rad * twists[..., 3:]
        goal = position + self.step_m * twists[..., :3]
        goal = self._inside(goal, so3_exp(turns[:, -1:]) @ rotation, position, rotation)
        # Braking alone goes on by a third of the way, the least without turning back.
        way = (frames - 1) * period_s * velocity
        still = self._inside(position + (start + shape / 3) * way, rotation, position, rotation)
        path = position + start * way + shape * (goal - position)
        path = self._inside(path, so3_exp(turns) @ rotation, position, rotation)
        dq = joint_velocity(self.robot, q, velocity) if dq is None else dq
        share = ArmPace(self.robot).share(q, dq, still, path - still, turns, period_s)
        share = share[:, None, None]
        count = len(self.twists)
        return PoseChunk(
            still + share * (path - still),
            so3_exp(share * turns) @ rotation,
            torch.full((count, frames), closedness, dtype=q.dtype, device=q.device),
        )

    def _inside(
        self, points: Tensor, rotations: Tensor, position: Tensor, rotation: Tensor
    ) -> Tensor:
        """Move flange positions (..., 3) so that the tool is in the box.

        An arm that stands outside is not asked to jump back: the box then reaches to where it is.
        """
        here = tcp_position(position, rotation, self.robot)
        lower = torch.minimum(points.new_tensor(self.box.lower), here)
        upper = torch.maximum(points.new_tensor(self.box.upper), here)
        tool = tcp_position(points, rotations, self.robot)
        return points + torch.maximum(torch.minimum(tool, upper), lower) - tool


@dataclass(frozen=True)
class SpatialProposals:
    """Candidates along the spatial basis; steps shrink as the goal comes near.

    Attributes:
        basis: how they move; its step is the longest.
        smallest_step_m: and the shortest.
        frames: of a candidate, the present included.
        period_s: between frames.
    """

    basis: SpatialBasis
    smallest_step_m: float
    frames: int
    period_s: float

    @classmethod
    def build(cls, parts: PlannerParts) -> SpatialProposals:
        """The basis of a configuration, in the box that the tool may plan in."""
        config, model = parts.config, parts.world_model.config
        basis = SpatialBasis(step_m=config.step_m, box=parts.box, robot=parts.robot)
        return cls(basis, config.smallest_step_m, model.frames, model.frame_period_s)

    def propose(self, situation: Situation) -> PoseChunk:
        """One candidate per direction, no longer than the way to the goal."""
        start = situation.start
        tool = tcp_position(start.position, start.rotation, self.basis.robot)
        apart = float((situation.goal - tool).norm())
        step = min(self.basis.step_m, max(self.smallest_step_m, apart))
        return self.spread(start, situation.closedness, step)

    def spread(self, start: Start, closedness: float, step_m: float) -> PoseChunk:
        """One candidate of a length per direction, from any state."""
        return replace(self.basis, step_m=step_m).propose(
            start.position, start.rotation, start.velocity, start.q, closedness,
            self.frames, self.period_s, start.dq,
        )  # fmt: skip
