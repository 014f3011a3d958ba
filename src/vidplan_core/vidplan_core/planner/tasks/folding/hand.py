# SPDX-License-Identifier: Apache-2.0
"""The hand as folding sees it: its tool, its turn and its fingers, now or at the end of chunks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import tcp_position, tcp_rotation
from vidplan_core.geometry.robot import RobotModel


@dataclass(frozen=True, eq=False)
class Hand:
    """A hand.

    Attributes:
        tool: tool centre point (3,), base frame, m.
        yaw: of the tool's x axis about the vertical, rad; the fingers close across it.
        grip: closedness that is commanded.
    """

    tool: np.ndarray
    yaw: float
    grip: float


@dataclass(frozen=True, eq=False)
class HandPaths:
    """Where hands go in chunks.

    Attributes:
        tool: (candidates, frames, 3), base frame, m.
        yaw: in the end, (candidates,), rad.
        grip: closedness that is commanded, (candidates,).
    """

    tool: np.ndarray
    yaw: np.ndarray
    grip: np.ndarray

    @property
    def end(self) -> np.ndarray:
        """Tool centre points (candidates, 3) in the end, base frame, m."""
        found: np.ndarray = self.tool[:, -1]
        return found


@dataclass(frozen=True, eq=False)
class Move:
    """Where a hand could go within a chunk.

    Attributes:
        goal: for the tool, (3,), base frame, m.
        yaw: for the hand, rad; None to keep it.
        grip: closedness to command.
    """

    goal: np.ndarray
    yaw: float | None
    grip: float


def hand_at(position: Tensor, rotation: Tensor, grip: float, robot: RobotModel) -> Hand:
    """The hand of a flange at (3,) m, (3, 3)."""
    tool = tcp_position(position, rotation, robot).double().cpu().numpy()
    axis = tcp_rotation(rotation, robot)[:, 0].double().cpu().numpy()
    return Hand(tool, float(np.arctan2(axis[1], axis[0])), grip)


def hand_paths(chunk: PoseChunk, robot: RobotModel) -> HandPaths:
    """The hands of chunks (candidates, frames)."""
    tool = tcp_position(chunk.position, chunk.rotation, robot)
    axis = tcp_rotation(chunk.rotation[:, -1], robot)[..., 0].double().cpu().numpy()
    grip = chunk.closedness[:, -1].double().cpu().numpy()
    return HandPaths(tool.double().cpu().numpy(), np.arctan2(axis[:, 1], axis[:, 0]), grip)
