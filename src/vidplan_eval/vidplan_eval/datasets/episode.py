# SPDX-License-Identifier: Apache-2.0
"""One recorded episode, whatever its layout on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from vidplan_core.geometry.se3 import euler_xyz_to_matrix, matrix_to_euler_xyz
from vidplan_eval.datasets.errors import (
    JUMP,
    NOT_FINITE,
    TOO_SHORT,
    UNEQUAL_LENGTHS,
    WRONG_SHAPE,
    WRONG_UNIT,
    EpisodeError,
)

Picture = np.ndarray

# A flange of a Franka reaches 0.855 m from its shoulder, which is 0.333 m above the base; its
# fastest motion is 3 m/s (Franka, technical data and Cartesian limits). Grippers are measured
# slightly beyond their ends.
REACH_M, FASTEST_M_S, SLACK = 1.2, 3.0, 0.1
# Angles of an arm; recorders may count a turn or two on, rad.
MOST_RAD = 4 * np.pi


@dataclass(frozen=True, eq=False)
class Poses:
    """Flange poses in the robot base frame and the gripper, at the model's frames.

    position: (frames, 3), m.
    rotation: (frames, 3, 3).
    closedness: (frames,), 0 open .. 1 closed.
    """

    position: Tensor
    rotation: Tensor
    closedness: Tensor

    @staticmethod
    def from_euler(pose: np.ndarray, closedness: np.ndarray) -> Poses:
        """From x, y, z (m) and extrinsic xyz roll, pitch, yaw (rad), (frames, 6), as DROID's."""
        values = torch.from_numpy(np.asarray(pose, np.float64))
        rotation = euler_xyz_to_matrix(values[:, 3:]).float()
        grip = torch.from_numpy(np.asarray(closedness, np.float64)).float()
        return Poses(values[:, :3].float(), rotation, grip)

    @property
    def states(self) -> Tensor:
        """As Ctrl-World has them: x, y, z, roll, pitch, yaw, closedness, (frames, 7)."""
        euler = matrix_to_euler_xyz(self.rotation.double()).float()
        return torch.cat([self.position, euler, self.closedness[:, None]], dim=1)


@dataclass(frozen=True, eq=False)
class Joints:
    """What the robot did and was commanded, at its own rate.

    pose: of the flange as recorded, x, y, z (m), roll, pitch, yaw (rad), (steps, 6).
    position: (steps, 7), rad.
    velocity: commands (steps, 7), as the policy gives them (DROID: within [-1, 1]); None where
        none were recorded.
    closedness: (steps,).
    period_s: between steps.
    """

    pose: np.ndarray
    position: np.ndarray
    velocity: np.ndarray | None
    closedness: np.ndarray
    period_s: float


@dataclass(frozen=True, eq=False)
class RecordedEpisode:
    """Poses, and pictures or latents that are read when they are asked for.

    pictures: yields one frame after the other, uint8 (views, height, width, 3), rgb; raises
        EpisodeError where a video breaks off. None when there are none.
    latents: (frames, channels, views * rows, columns), as the autoencoder gave them, not
        scaled. None when there are none.
    joints: reads them; None when the layout has none.
    success: whether the task was done, where that is known.
    """

    id: str
    file: Path
    poses: Poses
    frame_period_s: float
    text: str = ''
    success: bool | None = None
    pictures: Callable[[], Iterator[Picture]] | None = None
    latents: Callable[[], Tensor] | None = None
    joints: Callable[[], Joints] | None = None

    def __post_init__(self) -> None:
        self._check_meaning()

    def _check_meaning(self) -> None:
        """Raise EpisodeError for numbers that no gripper and no arm of this size can have."""
        closed, position = self.poses.closedness, self.poses.position
        if len(closed) and not -SLACK <= float(closed.min()) <= float(closed.max()) <= 1 + SLACK:
            ends = f'{float(closed.min()):.4g} .. {float(closed.max()):.4g}'
            detail = f'closedness is {ends}; 0 (open) .. 1 (closed) is meant'
            raise EpisodeError(self.id, WRONG_UNIT, self.file, detail)
        reach_m = float(position.norm(dim=-1).max()) if len(position) else 0.0
        if reach_m > REACH_M:
            detail = f'the flange is {reach_m:.4g} m from the base, an arm reaches {REACH_M} m'
            raise EpisodeError(self.id, WRONG_UNIT, self.file, detail)
        steps_m = position.diff(dim=0).norm(dim=-1)
        longest_m = float(steps_m.max()) if len(steps_m) else 0.0
        if longest_m > FASTEST_M_S * self.frame_period_s:
            detail = (
                f'{longest_m:.3g} m within {self.frame_period_s} s at frame '
                f'{int(steps_m.argmax()) + 1}; an arm moves up to {FASTEST_M_S} m/s'
            )
            raise EpisodeError(self.id, JUMP, self.file, detail)

    @property
    def frames(self) -> int:
        """Number of model frames."""
        return len(self.poses.position)

    def check_length(self, shortest: int) -> None:
        """Raise EpisodeError when there are fewer frames than a window needs."""
        if self.frames < shortest:
            raise EpisodeError(
                self.id, TOO_SHORT, self.file, f'{self.frames} frames, a window has {shortest}'
            )


class Source(Protocol):
    """A data set of episodes.

    name: for messages.
    views: of every picture and latent, in their order.
    frame_period_s: between model frames.
    """

    name: str
    views: tuple[str, ...]
    frame_period_s: float

    def ids(self, held_out: bool) -> list[str]:
        """Episodes of the training or of the held-out split, in a fixed order."""
        ...

    def read(self, episode: str) -> RecordedEpisode:
        """One episode; raises EpisodeError saying which file is wrong and how."""
        ...


def numbers(
    values: object, episode: str, file: Path, name: str, width: int | None = None
) -> np.ndarray:
    """An array (rows, width), or (rows,) without a width, of finite numbers.

    Raises EpisodeError for another shape, or with the first row that is not finite.
    """
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise EpisodeError(episode, WRONG_SHAPE, file, f'{name}: {error}') from error
    if width is None and array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != (1 if width is None else 2) or (width and array.shape[1] != width):
        expected = '(rows,)' if width is None else f'(rows, {width})'
        raise EpisodeError(
            episode, WRONG_SHAPE, file, f'{name} has shape {array.shape}, not {expected}'
        )
    bad = ~np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    if bad.any():
        detail = f'{name} in {int(bad.sum())} of {len(array)} rows, first in row {bad.argmax()}'
        raise EpisodeError(episode, NOT_FINITE, file, detail)
    return array


def require_radians(values: np.ndarray, episode: str, file: Path, name: str) -> None:
    """Raise EpisodeError for angles that only make sense in degrees."""
    largest = float(np.abs(values).max()) if values.size else 0.0
    if largest > MOST_RAD:
        detail = f'{name} has an angle of {largest:.4g}; rad is meant: are these degrees?'
        raise EpisodeError(episode, WRONG_UNIT, file, detail)


def check_lengths(episode: str, file: Path, lengths: dict[str, int]) -> None:
    """Raise EpisodeError unless all lengths are equal."""
    if len(set(lengths.values())) > 1:
        found = ', '.join(f'{name} {length}' for name, length in lengths.items())
        raise EpisodeError(episode, UNEQUAL_LENGTHS, file, found)
