# SPDX-License-Identifier: Apache-2.0
"""The spatial basis: one candidate per direction, as joint motions that the arm can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.fk import flange_pose, pose_and_jacobian, tcp_position
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.se3 import so3_exp, so3_log
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
        damping: of the pseudo-inverse; larger is slower and calmer near singularities.
        substeps: integration steps per frame.
        robot: whose joint limits the motions keep to.
        box: where the tool centre point may go.
    """

    step_m: float = 0.12
    step_rad: float = 0.5
    twists: Sequence[Twist] = TRANSLATIONS
    damping: float = 0.03
    substeps: int = 2
    robot: RobotModel = field(default_factory=default_robot)
    box: WorkspaceBox = field(default=PLANNING_BOX)

    def __post_init__(self) -> None:
        sizes = {len(twist) for twist in self.twists}
        if sizes != {6} or min(self.step_m, self.step_rad, self.damping) <= 0 or self.substeps < 1:
            raise ConfigError(
                'a spatial basis needs twists of 6 numbers, positive steps and damping and at '
                f'least one substep; got {self}'
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

        Returns:
            A chunk (candidates, frames); frame 0 is the given pose for all.
        """
        if frames < 2:
            raise ValueError(f'a chunk needs at least 2 frames, got {frames}')
        steps = (frames - 1) * self.substeps
        progress = torch.linspace(0, 1, steps + 1, dtype=q.dtype, device=q.device)[1:]
        shape, start = (weights[:, None, None] for weights in hermite_weights(progress))
        twists = position.new_tensor([list(twist) for twist in self.twists])
        turns = so3_exp(shape * self.step_rad * twists[:, 3:]) @ rotation
        goal = position + self.step_m * twists[:, :3]
        goal = self._inside(goal, turns[-1], position, rotation)
        drift = (frames - 1) * period_s * start * velocity
        path = position + drift + shape * (goal - position)
        path = self._inside(path, turns, position, rotation)
        angles = self._integrate(q, path, turns, period_s / self.substeps)
        reached, rotated = flange_pose(
            angles[:, self.substeps - 1 :: self.substeps], self.robot
        )
        count = len(self.twists)
        return PoseChunk(
            torch.cat((position.expand(count, 1, 3), reached), 1),
            torch.cat((rotation.expand(count, 1, 3, 3), rotated), 1),
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

    def _integrate(self, q: Tensor, path: Tensor, turns: Tensor, step_s: float) -> Tensor:
        """Follow flange positions (S, N, 3), rotations (S, N, 3, 3): angles (N, S, 7)."""
        limits = self.robot.limits
        lower, upper = q.new_tensor(limits.lower), q.new_tensor(limits.upper)
        lower, upper = torch.minimum(lower, q), torch.maximum(upper, q)
        speed = q.new_tensor(limits.velocity)
        angles = q.expand(path.shape[1], 7)
        visited = []
        for target, turned in zip(path, turns, strict=True):
            reached, rotated, jacobians = pose_and_jacobian(angles, self.robot)
            error = torch.cat((target - reached, so3_log(turned @ rotated.mT)), -1)
            dq = damped_velocity(jacobians, error / step_s, self.damping)
            # One factor for all joints keeps the direction when a joint is too slow.
            excess = (dq.abs() / speed).amax(-1, keepdim=True).clamp_min(1)
            angles = torch.maximum(torch.minimum(angles + step_s * dq / excess, upper), lower)
            visited.append(angles)
        return torch.stack(visited, 1)


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
            self.frames, self.period_s,
        )  # fmt: skip


def damped_velocity(jacobians: Tensor, twist: Tensor, damping: float) -> Tensor:
    """Return joint velocities (..., 7) for twists (..., 6): J^T (J J^T + damping^2 I)^-1 twist."""
    gram = jacobians @ jacobians.mT
    identity = torch.eye(6, dtype=gram.dtype, device=gram.device)
    solved = torch.linalg.solve(gram + damping**2 * identity, twist[..., None])
    return (jacobians.mT @ solved)[..., 0]
