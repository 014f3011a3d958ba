# SPDX-License-Identifier: Apache-2.0
"""Forward kinematics of an arm, batched and differentiable.

Joint vectors are (..., 7) in rad; poses are those of the flange (`link8`) in the robot base frame.
Where no robot is given, it is `default_robot`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vidplan_core.geometry.robot import DhRow, RobotModel
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.se3 import euler_xyz_to_matrix

Array = NDArray[np.float64]

#: Positions (N, 9, 3), m, and rotations (N, 9, 3, 3) of base, joints and flange.
ArmFrames = tuple[Array, Array]


@lru_cache(maxsize=32)
def _link_steps(chain: tuple[DhRow, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return what makes the steps of a chain, (3, 8, 4, 4): still, by cosines and by sines.

    A joint turns about its z after the row's own step: its x and y columns mix, z and the offset
    stay.
    """
    still, cosines, sines = (np.zeros((len(chain), 4, 4)) for _ in range(3))
    for index, (a, d, alpha) in enumerate(chain):
        c, s = round(math.cos(alpha), 15), round(math.sin(alpha), 15)
        link = np.array(((1.0, 0.0, 0.0), (0.0, c, -s), (0.0, s, c)))
        still[index, :3, 2], still[index, :3, 3] = link[:, 2], (a, -s * d, c * d)
        still[index, 3, 3] = 1.0
        cosines[index, :3, :2] = link[:, :2]
        sines[index, :3, 0], sines[index, :3, 1] = link[:, 1], -link[:, 0]
    return torch.tensor(np.stack((still, cosines, sines)), dtype=dtype, device=device)


def joint_frames(q: Tensor, robot: RobotModel | None = None) -> tuple[Tensor, Tensor]:
    """Return the frames of the joints and of the flange in the robot base frame.

    Args:
        q: joint angles (..., 7), rad.
        robot: whose chain it is.

    Returns:
        Positions (..., 8, 3) in m and rotations (..., 8, 3, 3); joints turn about their z axes.
    """
    chain = (robot or default_robot()).chain
    joints = len(chain) - 1
    if q.shape[-1] != joints:
        raise ValueError(f'joint angles need a last dimension of {joints}, got {tuple(q.shape)}')
    # All steps at once, because planning calls this often, with few angles: the price is the
    # number of operations. The flange does not turn: an angle of zero.
    still, cosines, sines = _link_steps(chain, q.dtype, q.device)
    angles = functional.pad(q, (0, 1))[..., None, None]
    steps = still + angles.cos() * cosines + angles.sin() * sines
    first, *others = steps.unbind(-3)
    frames = torch.stack(list(accumulate(others, torch.matmul, initial=first)), -3)
    return frames[..., :3, 3], frames[..., :3, :3]


def arm_frames(robot: RobotModel, q: Array) -> ArmFrames:
    """Return the frames of base, joints and flange at angles (N, 7), rad, by NumPy alone.

    For the checks of a command, which must be quick for few postures and need no gradient.
    """
    a, d, alpha = np.array(robot.chain, np.float64).T
    ca, sa = np.cos(alpha).round(15), np.sin(alpha).round(15)
    angles = np.concatenate((q, np.zeros((len(q), 1))), 1)
    c, s, zero = np.cos(angles), np.sin(angles), np.zeros_like(angles)
    one = zero + 1
    rows = (c, -s, zero, a * one, s * ca, c * ca, -sa * one, -sa * d * one,
            s * sa, c * sa, ca * one, ca * d * one, zero, zero, zero, one)  # fmt: skip
    steps = np.stack(rows, -1).reshape(*angles.shape, 4, 4)
    frames = np.tile(np.eye(4), (len(q), 1 + len(a), 1, 1))
    for index in range(len(a)):
        frames[:, index + 1] = frames[:, index] @ steps[:, index]
    return frames[..., :3, 3], frames[..., :3, :3]


def flange_pose(q: Tensor, robot: RobotModel | None = None) -> tuple[Tensor, Tensor]:
    """Return the flange's position (..., 3) in m and rotation (..., 3, 3) for angles (..., 7)."""
    positions, rotations = joint_frames(q, robot)
    return positions[..., -1, :], rotations[..., -1, :, :]


def jacobian(q: Tensor, robot: RobotModel | None = None) -> Tensor:
    """Return the geometric Jacobian (..., 6, 7) of the flange in the robot base frame.

    Rows are linear (m/rad), then angular (rad/rad) velocity per joint velocity.
    """
    return pose_and_jacobian(q, robot)[2]


def pose_and_jacobian(q: Tensor, robot: RobotModel | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Return `flange_pose` and `jacobian` of angles (..., 7) for the price of one."""
    positions, rotations = joint_frames(q, robot)
    axes = rotations[..., :-1, :, 2]
    arms = positions[..., -1:, :] - positions[..., :-1, :]
    columns = torch.cat((torch.linalg.cross(axes, arms), axes), -1)
    return positions[..., -1, :], rotations[..., -1, :, :], columns.mT


def tcp_position(position: Tensor, rotation: Tensor, robot: RobotModel | None = None) -> Tensor:
    """Return the tool centre point (..., 3) in m of flange poses (..., 3) and (..., 3, 3)."""
    for axis, distance_m in enumerate((robot or default_robot()).tool.position):
        if distance_m:
            position = position + distance_m * rotation[..., axis]
    return position


def tcp_rotation(rotation: Tensor, robot: RobotModel | None = None) -> Tensor:
    """Return the rotations (..., 3, 3) of the tool for those of the flange."""
    rpy = (robot or default_robot()).tool.rpy
    return rotation @ euler_xyz_to_matrix(rotation.new_tensor(rpy))


def hand_yaw(rotation: Tensor, robot: RobotModel | None = None) -> Tensor:
    """Return the headings (...), rad, of the line across the fingers for flanges (..., 3, 3).

    The fingers close across what lies along it.
    """
    robot = robot or default_robot()
    line = tcp_rotation(rotation, robot) @ rotation.new_tensor(robot.across_fingers)
    return torch.atan2(line[..., 1], line[..., 0])


def damped_velocity(jacobians: Tensor, twist: Tensor, damping: float) -> Tensor:
    """Return joint velocities (..., 7) for twists (..., 6): J^T (J J^T + damping^2 I)^-1 twist."""
    gram = jacobians @ jacobians.mT
    identity = torch.eye(6, dtype=gram.dtype, device=gram.device)
    solved = torch.linalg.solve(gram + damping**2 * identity, twist[..., None])
    return (jacobians.mT @ solved)[..., 0]
