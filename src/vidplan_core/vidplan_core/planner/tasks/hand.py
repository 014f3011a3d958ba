# SPDX-License-Identifier: Apache-2.0
"""The hand as a stage sees it: its tool, its turn and its fingers, now or after chunks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import flange_pose, hand_yaw, tcp_position
from vidplan_core.geometry.robot import RobotModel


@dataclass(frozen=True, eq=False)
class Hand:
    """A hand.

    Attributes:
        tool: tool centre point (3,), base frame, m.
        yaw: of the line across the fingers about the vertical, within half a turn of home, rad.
        grip: closedness that is commanded.
        home_yaw: what `yaw` is at home, where the last joint is far from its ends, rad.
    """

    tool: np.ndarray
    yaw: float
    grip: float
    home_yaw: float = 0.0


@dataclass(frozen=True, eq=False)
class HandPaths:
    """Where hands go in chunks.

    Attributes:
        tool: (candidates, frames, 3), base frame, m.
        yaw: in the end, (candidates,), rad.
        grip: closedness that is commanded, (candidates,).
        home_yaw: as of `Hand`.
    """

    tool: np.ndarray
    yaw: np.ndarray
    grip: np.ndarray
    home_yaw: float = 0.0

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
    return Hand(tool, float(_yaw(rotation, robot)), grip, home_yaw(robot))


def hand_paths(chunk: PoseChunk, robot: RobotModel) -> HandPaths:
    """The hands of chunks (candidates, frames)."""
    tool = tcp_position(chunk.position, chunk.rotation, robot)
    yaw = _yaw(chunk.rotation[:, -1], robot)
    grip = chunk.closedness[:, -1].double().cpu().numpy()
    return HandPaths(tool.double().cpu().numpy(), yaw, grip, home_yaw(robot))


def _yaw(rotation: Tensor, robot: RobotModel) -> np.ndarray:
    """The yaws (...) of flanges (..., 3, 3), within half a turn of home."""
    home = home_yaw(robot)
    turn = hand_yaw(rotation.double(), robot).cpu().numpy() - home
    yaw: np.ndarray = home + np.arctan2(np.sin(turn), np.cos(turn))
    return yaw


@lru_cache(maxsize=32)
def home_yaw(robot: RobotModel) -> float:
    """Of the line across the fingers at home, rad."""
    home = torch.tensor(robot.home, dtype=torch.float64)
    return float(hand_yaw(flange_pose(home, robot)[1], robot))
