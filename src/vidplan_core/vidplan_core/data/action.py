# SPDX-License-Identifier: Apache-2.0
"""Pose chunks: the actions that a world model imagines, and the features it reads them by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vidplan_core.geometry.se3 import matrix_to_euler_xyz, matrix_to_quaternion, so3_log

RELATIVE_FEATURES = 17
EULER_FEATURES = 7

# Flange positions in the robot base frame that map to -1 and +1, m.
WORKSPACE_LOWER_M = (0.2, -0.4, 0.0)
WORKSPACE_UPPER_M = (0.8, 0.4, 0.6)

# These bring one chunk's motion (about 0.1 m, 0.2 rad) to the size of the other features.
_MOTION_PER_M = 10.0
_MOTION_PER_RAD = 5.0


@dataclass(frozen=True, eq=False)
class PoseChunk:
    """Flange poses in the robot base frame and gripper closedness, a batch of short futures.

    Attributes:
        position: (candidates, frames, 3), m.
        rotation: (candidates, frames, 3, 3), rotation matrices.
        closedness: (candidates, frames), 0 open .. 1 closed.

    Frame 0 is the present; frames follow each other by the model's frame period.
    """

    position: Tensor
    rotation: Tensor
    closedness: Tensor

    def __post_init__(self) -> None:
        batch = self.position.shape[:2]
        expected = (*batch, 3), (*batch, 3, 3), tuple(batch)
        found = tuple(tuple(t.shape) for t in (self.position, self.rotation, self.closedness))
        if found != expected or self.position.dim() != 3:
            raise ValueError(
                'a pose chunk needs position (N, F, 3), rotation (N, F, 3, 3) and closedness '
                f'(N, F); got {found[0]}, {found[1]} and {found[2]}'
            )

    def __len__(self) -> int:
        return self.position.shape[0]

    @property
    def frames(self) -> int:
        """Number of frames, the present included."""
        return self.position.shape[1]

    @property
    def quaternion(self) -> Tensor:
        """Orientation as xyzw quaternions (candidates, frames, 4)."""
        return matrix_to_quaternion(self.rotation)

    def to(self, target: torch.device | torch.dtype | str) -> PoseChunk:
        """Return the chunk on another device or in another floating-point type."""
        return PoseChunk(
            self.position.to(target), self.rotation.to(target), self.closedness.to(target)
        )

    def select(self, index: int) -> PoseChunk:
        """Return one candidate as a chunk of batch size 1."""
        if not -len(self) <= index < len(self):
            raise IndexError(f'candidate {index} of a chunk that has {len(self)}')
        return self.rows(slice(index % len(self), index % len(self) + 1))

    def rows(self, which: slice | Tensor) -> PoseChunk:
        """Return some of the candidates."""
        return PoseChunk(self.position[which], self.rotation[which], self.closedness[which])

    def part(self, which: slice | list[int]) -> PoseChunk:
        """Return some of the frames of every candidate."""
        return PoseChunk(
            self.position[:, which], self.rotation[:, which], self.closedness[:, which]
        )

    def detach(self) -> PoseChunk:
        """Return the same poses without their gradient graph."""
        return PoseChunk(self.position.detach(), self.rotation.detach(), self.closedness.detach())

    def expand(self, candidates: int) -> PoseChunk:
        """Repeat a chunk of batch size 1 for a number of candidates, without copying."""
        return PoseChunk(
            self.position.expand(candidates, -1, -1),
            self.rotation.expand(candidates, -1, -1, -1),
            self.closedness.expand(candidates, -1),
        )

    @staticmethod
    def cat(chunks: Sequence[PoseChunk]) -> PoseChunk:
        """Join chunks along the candidates."""
        return PoseChunk(
            torch.cat([chunk.position for chunk in chunks]),
            torch.cat([chunk.rotation for chunk in chunks]),
            torch.cat([chunk.closedness for chunk in chunks]),
        )


@dataclass(frozen=True)
class EulerStats:
    """The 1st and 99th percentile of x, y, z (m), roll, pitch, yaw (rad) and closedness."""

    p01: tuple[float, ...]
    p99: tuple[float, ...]


# Percentiles that Ctrl-World's released weights were trained with (its DROID stat.json).
DROID_STATS = EulerStats(
    p01=(
        0.2676655471324921, -0.441715806722641, -0.042784303426742554,
        -3.1373724937438965, -1.214390754699707, -2.11581574678421, 0.0,
    ),
    p99=(
        0.781050771474838, 0.4366717040538788, 0.7843997478485107,
        3.137465238571167, 0.9039141565561147, 1.9915846586227417, 0.9911894202232361,
    ),
)  # fmt: skip


def relative_features(chunk: PoseChunk, present: int = 0) -> Tensor:
    """Describe each frame by 17 numbers of about unit size, smooth in the pose.

    In order: position scaled to the workspace (3), the first two columns of the rotation (6),
    2 closedness - 1 (1), then relative to the present frame: 10 times the displacement in m (3),
    5 times the rotation vector of R0^T R in rad (3), the change of closedness (1).

    Args:
        chunk: poses (candidates, frames).
        present: index of the frame that the motion is relative to; frames before it are history.

    Returns:
        Features (candidates, frames, 17).
    """
    lower = chunk.position.new_tensor(WORKSPACE_LOWER_M)
    upper = chunk.position.new_tensor(WORKSPACE_UPPER_M)
    origin = slice(present, present + 1)
    turned = chunk.rotation[:, origin].mT @ chunk.rotation
    closedness = chunk.closedness[..., None]
    parts = (
        2 * (chunk.position - lower) / (upper - lower) - 1,
        chunk.rotation[..., :2].mT.flatten(-2),
        2 * closedness - 1,
        _MOTION_PER_M * (chunk.position - chunk.position[:, origin]),
        _MOTION_PER_RAD * so3_log(turned),
        closedness - closedness[:, origin],
    )
    return torch.cat(parts, -1)


def euler_features(
    chunk: PoseChunk, stats: EulerStats = DROID_STATS, clip: bool = True
) -> Tensor:
    """Describe each frame as Ctrl-World does: normalised x, y, z, roll, pitch, yaw, closedness.

    Angles lie within +-pi, as in the data that the weights learned from. A gripper that points
    down has a roll of about +-pi, so a small rotation may turn -1 into +1: the weights know both
    as the same place, and know nothing beyond them. The gradient is that of the branch at hand,
    and of single frames: what a plan is varied in must be smooth itself.

    Args:
        chunk: poses (candidates, frames).
        stats: percentiles that map to -1 and +1.
        clip: limit to [-1, 1] as in training; the gradient is zero outside.

    Returns:
        Features (candidates, frames, 7).
    """
    euler = matrix_to_euler_xyz(chunk.rotation)
    raw = torch.cat((chunk.position, euler, chunk.closedness[..., None]), -1)
    p01, p99 = raw.new_tensor(stats.p01), raw.new_tensor(stats.p99)
    normalised = 2 * (raw - p01) / (p99 - p01 + 1e-8) - 1
    return normalised.clamp(-1, 1) if clip else normalised
