# SPDX-License-Identifier: Apache-2.0
"""Forward kinematics of the FR3 and the Panda (same link lengths), batched and differentiable.

Joint vectors are (..., 7) in rad; poses are those of the flange (`link8`) in the robot base frame.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

JOINTS = 7

# Modified (Craig) Denavit-Hartenberg rows (a, d, alpha) in m and rad: seven joints, then the
# flange. Source: kinematics.yaml of franka_description, the same for the FR3 and the Panda.
DH_ROWS = (
    (0.0, 0.333, 0.0),
    (0.0, 0.0, -math.pi / 2),
    (0.0, 0.316, math.pi / 2),
    (0.0825, 0.0, math.pi / 2),
    (-0.0825, 0.384, -math.pi / 2),
    (0.0, 0.0, math.pi / 2),
    (0.088, 0.0, math.pi / 2),
    (0.0, 0.107, 0.0),
)

# The point between the fingertips of the Franka hand lies this far along the flange's z axis.
TCP_OFFSET_M = 0.1034


@lru_cache(maxsize=8)
def _link_offsets(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return what each row adds before its joint turns: rotations (8, 3, 3), offsets (8, 3)."""
    rotations, offsets = [], []
    for a, d, alpha in DH_ROWS:
        c, s = round(math.cos(alpha), 15), round(math.sin(alpha), 15)
        rotations.append(((1.0, 0.0, 0.0), (0.0, c, -s), (0.0, s, c)))
        offsets.append((a, -s * d, c * d))
    return (
        torch.tensor(rotations, dtype=dtype, device=device),
        torch.tensor(offsets, dtype=dtype, device=device),
    )


def joint_frames(q: Tensor) -> tuple[Tensor, Tensor]:
    """Return the frames of the seven joints and of the flange in the robot base frame.

    Args:
        q: joint angles (..., 7), rad.

    Returns:
        Positions (..., 8, 3) in m and rotations (..., 8, 3, 3); joints turn about their z axes.
    """
    if q.shape[-1] != JOINTS:
        raise ValueError(f'joint angles need a last dimension of {JOINTS}, got {tuple(q.shape)}')
    links, offsets = _link_offsets(q.dtype, q.device)
    cosine, sine = torch.cos(q), torch.sin(q)
    position = q.new_zeros((*q.shape[:-1], 3))
    rotation = torch.eye(3, dtype=q.dtype, device=q.device).expand(*q.shape[:-1], 3, 3)
    positions, rotations = [], []
    for index in range(JOINTS + 1):
        position = position + rotation @ offsets[index]
        rotation = rotation @ links[index]
        if index < JOINTS:
            c, s = cosine[..., index, None], sine[..., index, None]
            x, y, z = rotation.unbind(-1)
            rotation = torch.stack((c * x + s * y, c * y - s * x, z), -1)
        positions.append(position)
        rotations.append(rotation)
    return torch.stack(positions, -2), torch.stack(rotations, -3)


def flange_pose(q: Tensor) -> tuple[Tensor, Tensor]:
    """Return the flange's position (..., 3) in m and rotation (..., 3, 3) for angles (..., 7)."""
    positions, rotations = joint_frames(q)
    return positions[..., -1, :], rotations[..., -1, :, :]


def jacobian(q: Tensor) -> Tensor:
    """Return the geometric Jacobian (..., 6, 7) of the flange in the robot base frame.

    Rows are linear (m/rad), then angular (rad/rad) velocity per joint velocity.
    """
    return pose_and_jacobian(q)[2]


def pose_and_jacobian(q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return `flange_pose` and `jacobian` of angles (..., 7) for the price of one."""
    positions, rotations = joint_frames(q)
    axes = rotations[..., :JOINTS, :, 2]
    arms = positions[..., -1:, :] - positions[..., :JOINTS, :]
    columns = torch.cat((torch.linalg.cross(axes, arms), axes), -1)
    return positions[..., -1, :], rotations[..., -1, :, :], columns.mT


def tcp_position(position: Tensor, rotation: Tensor) -> Tensor:
    """Return the tool centre point (..., 3) in m of flange poses (..., 3) and (..., 3, 3)."""
    return position + TCP_OFFSET_M * rotation[..., 2]
