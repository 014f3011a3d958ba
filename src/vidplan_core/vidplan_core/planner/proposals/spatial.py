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
        self, here: Start, closedness: float, frames: int, period_s: float
    ) -> PoseChunk:
        """Return one chunk per twist, from the present motion to rest.

        Args:
            here: the present state.
            closedness: gripper, 0 open .. 1 closed, kept.
            frames: number of frames, the present included; at least 2.
            period_s: time between frames, s.

        Returns:
            A chunk (candidates, frames); frame 0 is the present for all.
        """
        if frames < 2:
            raise ValueError(f'a chunk needs at least 2 frames, got {frames}')
        position, rotation = here.position, here.rotation
        steps = torch.arange(frames, dtype=position.dtype, device=position.device)
        shape, start = (weights[:, None] for weights in hermite_weights(steps / (frames - 1)))
        way, turn_way = ((frames - 1) * period_s * v for v in (here.velocity, here.turning))
        twists = position.new_tensor([list(twist) for twist in self.twists])[:, None]
        # Braking alone goes on by a third of the way, the least without turning back.
        still_turn = (start + shape / 3) * turn_way
        added = shape * self.step_rad * twists[..., 3:]
        turns = still_turn + added
        goal = position + self.step_m * twists[..., :3]
        goal = self._inside(goal, so3_exp(turns[:, -1:]) @ rotation, position, rotation)
        braked = so3_exp(still_turn) @ rotation
        still = self._inside(position + (start + shape / 3) * way, braked, position, rotation)
        path = position + start * way + shape * (goal - position)
        path = self._inside(path, so3_exp(turns) @ rotation, position, rotation)
        dq = joint_velocity(self.robot, here.q, here.velocity) if here.dq is None else here.dq
        share = ArmPace(self.robot).share(
            here.q, dq, (still, still_turn), path - still, added, period_s, here.ddq
        )[:, None, None]
        return PoseChunk(
            still + share * (path - still),
            so3_exp(still_turn + share * added) @ rotation,
            position.new_full((len(self.twists), frames), closedness),
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
        basis = replace(self.basis, step_m=step_m)
        return basis.propose(start, closedness, self.frames, self.period_s)
