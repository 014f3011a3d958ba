# SPDX-License-Identifier: Apache-2.0
"""Rotations in torch: batched, differentiable everywhere a plan may go, smooth at zero rotation.

Matrices are (..., 3, 3), rotation vectors (..., 3) in rad, quaternions (..., 4) as xyzw.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

# Below these squared sizes a Taylor series replaces the closed form, whose 0/0 has NaN gradients.
# The first term left out is below 1e-12 at the threshold, so float64 sees no step either.
_SMALL_ANGLE_SQUARED = 1e-2
_SMALL_TANGENT_SQUARED = 1e-3


def hat(vector: Tensor) -> Tensor:
    """Return matrices (..., 3, 3) that turn b into a x b, for vectors a (..., 3)."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), -1).reshape(*x.shape, 3, 3)


def so3_exp(rotation_vector: Tensor) -> Tensor:
    """Return the rotation matrix (..., 3, 3) of a rotation vector (..., 3) in rad (Rodrigues)."""
    squared = (rotation_vector * rotation_vector).sum(-1)
    small = squared < _SMALL_ANGLE_SQUARED
    angle = torch.where(small, torch.ones_like(squared), squared).sqrt()
    half_sinc = torch.sin(angle / 2) / (angle / 2)
    series_a = 1 - squared / 6 * (1 - squared / 20 * (1 - squared / 42 * (1 - squared / 72)))
    series_b = 0.5 - squared / 24 * (1 - squared / 30 * (1 - squared / 56 * (1 - squared / 90)))
    a = torch.where(small, series_a, torch.sin(angle) / angle)
    b = torch.where(small, series_b, half_sinc * half_sinc / 2)
    skew = hat(rotation_vector)
    identity = torch.eye(3, dtype=skew.dtype, device=skew.device)
    return identity + a[..., None, None] * skew + b[..., None, None] * (skew @ skew)


def so3_log(rotation: Tensor) -> Tensor:
    """Return the rotation vector (..., 3) in rad of (..., 3, 3), of length at most pi.

    The gradient is finite for every rotation; at exactly pi the sign of the axis is a convention.
    """
    quaternion = matrix_to_quaternion(rotation)
    imaginary, real = quaternion[..., :3], quaternion[..., 3]
    squared = (imaginary * imaginary).sum(-1)
    small = squared < _SMALL_TANGENT_SQUARED
    sine = torch.where(small, torch.ones_like(squared), squared).sqrt()
    safe_real = torch.where(small, real, torch.ones_like(real))
    t = squared / (safe_real * safe_real)
    t = torch.where(small, t, torch.zeros_like(t))
    series = 2 / safe_real * (1 - t * (1 / 3 - t * (1 / 5 - t * (1 / 7 - t / 9))))
    scale = torch.where(small, series, 2 * torch.atan2(sine, real) / sine)
    return scale[..., None] * imaginary


def matrix_to_quaternion(rotation: Tensor) -> Tensor:
    """Return the unit quaternion xyzw (..., 4), w >= 0, of rotation matrices (..., 3, 3)."""
    # Each row is 4 q_k (x, y, z, w) for one k; the row with the largest q_k divides safely.
    identity, of_elements = _quaternion_rows(rotation.dtype, rotation.device)
    parts = (rotation.flatten(-2)[..., None] * of_elements).sum(-2)  # exact where matmuls are not
    rows = identity + parts.unflatten(-1, (4, 4))
    largest = torch.diagonal(rows, dim1=-2, dim2=-1).argmax(-1)
    index = largest[..., None, None].expand(*largest.shape, 1, 4)
    row = rows.gather(-2, index).squeeze(-2)
    quaternion = row / row.norm(dim=-1, keepdim=True)
    return torch.where(quaternion[..., 3:] < 0, -quaternion, quaternion)


@lru_cache(maxsize=32)
def _quaternion_rows(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return what rows (4, 4) of `matrix_to_quaternion` are made of: 1, and elements (9, 16).

    A constant map, because planning calls it often, with few rotations: the price is the number
    of operations.
    """
    matrix = torch.zeros(3, 3, 4, 4, dtype=torch.float64)
    for k, (i, j) in enumerate(((2, 1), (0, 2), (1, 0))):
        matrix[k, k] = torch.diag(2.0 * torch.eye(4, dtype=torch.float64)[k] - 1.0)
        matrix[k, k, 3, 3] = 1.0
        # q_i q_j from the sum of two elements, q_k q_w from their difference.
        matrix[i, j, [i, j], [j, i]] += 1.0
        matrix[j, i, [i, j], [j, i]] += 1.0
        matrix[i, j, [k, 3], [3, k]] += 1.0
        matrix[j, i, [k, 3], [3, k]] -= 1.0
    return torch.eye(4, dtype=dtype, device=device), matrix.reshape(9, 16).to(device, dtype)


def quaternion_to_matrix(quaternion: Tensor) -> Tensor:
    """Return the rotation matrix (..., 3, 3) of quaternions xyzw (..., 4), normalising them."""
    x, y, z, w = (quaternion / quaternion.norm(dim=-1, keepdim=True)).unbind(-1)
    elements = (
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    )  # fmt: skip
    return torch.stack(elements, -1).reshape(*x.shape, 3, 3)


def matrix_to_euler_xyz(rotation: Tensor) -> Tensor:
    """Return extrinsic xyz Euler angles (..., 3) in rad: R = Rz(yaw) Ry(pitch) Rx(roll)."""
    m = rotation
    # The floor keeps the root's gradient finite when the gripper points along the base's x axis.
    horizontal = (m[..., 0, 0] ** 2 + m[..., 1, 0] ** 2).clamp_min(1e-12).sqrt()
    roll = torch.atan2(m[..., 2, 1], m[..., 2, 2])
    pitch = torch.atan2(-m[..., 2, 0], horizontal)
    yaw = torch.atan2(m[..., 1, 0], m[..., 0, 0])
    return torch.stack((roll, pitch, yaw), -1)


def euler_xyz_to_matrix(euler: Tensor) -> Tensor:
    """Return the rotation matrix (..., 3, 3) of extrinsic xyz Euler angles (..., 3) in rad."""
    axes = torch.eye(3, dtype=euler.dtype, device=euler.device)
    about_x, about_y, about_z = (so3_exp(euler[..., i : i + 1] * axes[i]) for i in range(3))
    return about_z @ about_y @ about_x
