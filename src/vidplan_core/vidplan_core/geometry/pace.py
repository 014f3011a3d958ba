# SPDX-License-Identifier: Apache-2.0
"""How much of a motion of the hand an arm can do in its time, batched and differentiable."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from vidplan_core.geometry.fk import damped_velocity, jacobian, pose_and_jacobian
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.se3 import so3_exp, so3_log
from vidplan_core.geometry.trajectory import rest_spline

# Shares of a motion that are tried.
_GRID = 8
# Places between two frames where velocity and acceleration are looked at.
_SAMPLES = 4
# Of the pseudo-inverse: motions near a singularity cost the joints what they really cost.
_DAMPING = 0.01
# Poses missed by this much count as out of reach.
_MISSED_M, _MISSED_RAD = 4e-3, 1e-2


@dataclass(frozen=True)
class ArmPace:
    """What joints can do within a chunk.

    Attributes:
        robot: whose limits joint motions keep.
        use: share of the limits on velocity and acceleration that motions may need; the rest is
            for the elbow, and for what this estimate neglects.
    """

    robot: RobotModel
    use: float = 0.95

    def share(
        self,
        q: Tensor,
        dq: Tensor,
        still: tuple[Tensor, Tensor],
        way: Tensor,
        turn: Tensor,
        period_s: float,
        ddq: Tensor | None = None,
    ) -> Tensor:
        """Return the largest share (N,) of each motion that the arm can do, 0 .. 1.

        A motion's share s leads through what an arm does that only brakes, plus s (way, turn).
        The joints follow it with the least motion; a spline through their angles at the frames,
        from the present state to rest, must keep the limits, as the adapter's does.

        Args:
            q: joint angles (7,) at frame 0, rad.
            dq: joint velocities (7,) at frame 0, rad/s.
            still: flange positions (F, 3), m, and rotation vectors (F, 3) about axes of the base
                frame, rad, of an arm that only brakes; the first are the present.
            way: what motions add to the positions (N, F, 3), m.
            turn: what they add to the rotation vectors (N, F, 3), rad.
            period_s: time between frames, s.
            ddq: joint accelerations (7,) at frame 0, rad/s^2; none if None.
        """
        moment = torch.stack((dq, torch.zeros_like(dq) if ddq is None else ddq))
        grid = torch.linspace(0.0, 1.0, _GRID + 1, dtype=q.dtype, device=q.device)
        shares = grid[:, None, None, None]
        needs = self._needs(
            q, moment, (still[0] + shares * way).flatten(0, 1),
            (still[1] + shares * turn).flatten(0, 1), period_s,
        ).unflatten(0, (len(grid), -1))  # fmt: skip
        # What an arm that only brakes breaks already, a motion may break as much.
        needs = needs / needs[:1].abs().clamp_min(1.0)
        kept = (needs.abs() <= 1.0).all(-1).long().cumprod(0).sum(0)
        rows = torch.arange(len(way), device=q.device)
        last, broken = needs[kept - 1, rows], needs[kept.clamp_max(_GRID), rows]
        # Between the last of the grid that keeps all and the first that does not, linearly.
        breaks = broken.abs() > 1.0
        more = torch.where(breaks, broken - last, torch.ones_like(last))
        part = torch.where(breaks, (torch.sign(broken) - last) / more, torch.ones_like(last))
        return (grid[kept - 1] + part.amin(-1) / _GRID).clamp_max(1.0)

    def _needs(
        self, q: Tensor, moment: Tensor, positions: Tensor, turns: Tensor, period_s: float
    ) -> Tensor:
        """What motions (N, F) need of everything that is limited, (N, quantities); 1 is all."""
        angles, missed = _follow(self.robot, q, positions, turns)
        frames = positions.shape[1]
        speeds, rates, ends = (matrix.to(q) for matrix in _spline_matrices(frames, period_s))
        points = torch.cat((angles, moment.expand(len(angles), 2, -1)), 1)
        limits = self.robot.limits
        velocity = speeds @ points / (self.use * q.new_tensor(limits.velocity))
        acceleration = rates @ points / (self.use * q.new_tensor(limits.acceleration))
        # A start outside the limits is a fact, not a choice.
        lower = torch.minimum(q.new_tensor(limits.lower), q)
        upper = torch.maximum(q.new_tensor(limits.upper), q)
        place = (2 * ends @ points - upper - lower) / (upper - lower)
        return torch.cat([part.flatten(1) for part in (velocity, acceleration, place, missed)], 1)


def joint_velocity(robot: RobotModel, q: Tensor, velocity: Tensor) -> Tensor:
    """Return the least velocities (7,), rad/s, that move the flange at (3,) m/s without a turn."""
    twist = torch.cat((velocity, torch.zeros_like(velocity)))
    return damped_velocity(jacobian(q, robot), twist, _DAMPING)


def _follow(
    robot: RobotModel, q: Tensor, positions: Tensor, turns: Tensor
) -> tuple[Tensor, Tensor]:
    """Joint angles (N, F, 7) with least motion, and what they miss of the poses, 1 is too much.

    Paths begin where the angles put the flange, wherever the first position is.
    """
    angles = q.expand(len(positions), -1)
    place, facing, jacobians = pose_and_jacobian(angles, robot)
    targets = place[:, None] + positions - positions[:, :1]
    rotations = so3_exp(turns) @ facing[:, None]
    visited, poses = [angles], [(place, facing)]
    for frame in range(1, positions.shape[1]):
        turned = so3_log(rotations[:, frame] @ facing.mT)
        error = torch.cat((targets[:, frame] - place, turned), -1)
        # The Jacobian half way makes a step of several centimetres accurate.
        middle = angles + 0.5 * damped_velocity(jacobians, error, _DAMPING)
        angles = angles + damped_velocity(jacobian(middle, robot), error, _DAMPING)
        place, facing, jacobians = pose_and_jacobian(angles, robot)
        visited.append(angles)
        poses.append((place, facing))
    places, facings = (torch.stack(parts, 1) for parts in zip(*poses, strict=True))
    beside = (targets - places).norm(dim=-1) / _MISSED_M
    turned = so3_log(rotations @ facings.mT).norm(dim=-1) / _MISSED_RAD
    return torch.stack(visited, 1), torch.cat((beside, turned), 1)


@lru_cache(maxsize=8)
def _spline_matrices(frames: int, period_s: float) -> tuple[Tensor, Tensor, Tensor]:
    """What a spline to rest makes of its points, see `rest_spline`.

    Returns:
        Matrices (times, F + 2) of its velocities and accelerations at all times that matter, and
        of its points from the second on.
    """
    spline = rest_spline(tuple((period_s * np.arange(frames)).tolist()))
    fine = np.linspace(0.0, period_s * (frames - 1), (frames - 1) * _SAMPLES + 1)[1:-1]
    found = spline(fine, 1), spline(fine, 2), np.eye(frames + 2)[1:frames]
    return tuple(torch.from_numpy(np.ascontiguousarray(matrix)) for matrix in found)  # type: ignore[return-value]
