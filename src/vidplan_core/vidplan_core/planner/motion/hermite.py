# SPDX-License-Identifier: Apache-2.0
"""The time law of every planned chunk: from the present velocity smoothly to rest."""

from __future__ import annotations

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.se3 import so3_exp


def hermite_weights(progress: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cubic Hermite weights of the displacement and of (duration x start velocity).

    Args:
        progress: elapsed part of the duration, 0 .. 1, any shape.
    """
    squared = progress * progress
    return squared * (3 - 2 * progress), progress * (1 - progress) ** 2


def hermite_chunk(
    position: Tensor,
    rotation: Tensor,
    velocity: Tensor,
    displacement: Tensor,
    rotation_vector: Tensor,
    closedness: float | Tensor,
    frames: int,
    period_s: float,
    turn_rate: Tensor | None = None,
) -> PoseChunk:
    """Return straight-line chunks that end at rest, differentiable in where they end.

    The position is the cubic from (position, velocity) to (position + displacement, 0); the
    rotation vector is the cubic from (0, turn_rate) to (rotation_vector, 0).

    Args:
        position: present flange (3,), m, in the robot base frame.
        rotation: present flange (3, 3).
        velocity: present linear velocity of the flange (3,), m/s.
        displacement: (candidates, 3), m.
        rotation_vector: (candidates, 3), rad, about axes of the robot base frame.
        closedness: gripper, a number or a tensor that broadcasts to (candidates, frames).
        frames: number of frames, the present included; at least 2.
        period_s: time between frames, s.
        turn_rate: present angular velocity of the flange (3,), rad/s, in the robot base frame;
            none if None.

    Returns:
        A chunk (candidates, frames) whose frame 0 is the present.
    """
    if frames < 2:
        raise ValueError(f'a chunk needs at least 2 frames, got {frames}')
    steps = torch.arange(frames, dtype=position.dtype, device=position.device)
    shape, start = hermite_weights(steps / (frames - 1))
    duration_s = (frames - 1) * period_s
    drift = (duration_s * start)[:, None] * velocity
    positions = position + drift + shape[:, None] * displacement[:, None, :]
    turns = shape[:, None] * rotation_vector[:, None, :]
    if turn_rate is not None:
        turns = turns + (duration_s * start)[:, None] * turn_rate
    rotations = so3_exp(turns) @ rotation
    grip = torch.as_tensor(closedness, dtype=position.dtype, device=position.device)
    return PoseChunk(positions, rotations, grip.expand(displacement.shape[0], frames))
