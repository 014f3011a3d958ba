# SPDX-License-Identifier: Apache-2.0
"""Arm and gripper of a recording as signals over time."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidplan_core.data.readings import closedness, closedness_of, joint_values
from vidplan_core.errors import ObservationError
from vidplan_core.geometry.robot import RobotModel
from vidplan_eval.bags.clocks import Timed
from vidplan_eval.bags.sensor_map import GripperSource, JointSource

# Drivers publish at up to 1 kHz; pictures need no more than this, s.
LEAST_STEP_S = 0.004
# A joint may be measured slightly beyond its limit; farther off, the unit is wrong, rad.
BEYOND_RAD = 0.1


@dataclass(frozen=True)
class Track:
    """A signal over time: stamps (K,) in s, increasing, and values (K, n)."""

    stamps_s: np.ndarray
    values: np.ndarray

    def gap_s(self, time_s: float) -> float:
        """Distance to the nearest sample."""
        place = int(np.searchsorted(self.stamps_s, time_s))
        near = self.stamps_s[max(place - 1, 0) : place + 1]
        return float(np.abs(near - time_s).min())

    def at(self, time_s: float) -> np.ndarray:
        """Values (n,) at a time, interpolated."""
        last = len(self.stamps_s) - 1
        right = int(np.clip(np.searchsorted(self.stamps_s, time_s), 1, max(last, 1)))
        left = right - 1
        right = min(right, last)
        span_s = self.stamps_s[right] - self.stamps_s[left]
        share = 0.0 if span_s == 0 else (time_s - self.stamps_s[left]) / span_s
        share = float(np.clip(share, 0.0, 1.0))
        return np.asarray(self.values[left] * (1 - share) + self.values[right] * share)


@dataclass
class Samples:
    """Rows of numbers that are collected in little memory, with their stamps and log times, s."""

    width: int
    stamps_s: array[float] = field(default_factory=lambda: array('d'))
    logged_s: array[float] = field(default_factory=lambda: array('d'))
    rows: array[float] = field(default_factory=lambda: array('d'))

    def add(self, stamp_s: float, logged_s: float, row: np.ndarray) -> None:
        """Keep one row (width,)."""
        self.stamps_s.append(stamp_s)
        self.logged_s.append(logged_s)
        self.rows.extend(row)

    def timed(self) -> Timed:
        """Return when they were taken and recorded."""
        return Timed(np.array(self.stamps_s), np.array(self.logged_s))

    def track(self, times_s: np.ndarray, trusted: np.ndarray) -> Track:
        """Return them in order of time, one per time; of the rows nothing else is copied."""
        values = np.frombuffer(self.rows).reshape(-1, self.width)
        stamps, first = np.unique(times_s[trusted], return_index=True)
        return Track(stamps, values[np.flatnonzero(trusted)[first]])


def arm_row(message: Any, source: JointSource, robot: RobotModel) -> np.ndarray | None:
    """Return position and velocity (14,) of the arm, rad and rad/s; None of another device.

    Velocities that a driver does not publish are NaN.

    Raises:
        ObservationError: a joint is missing, not finite or beyond what it can reach.
    """
    if not set(source.names) & set(message.name):
        return None
    q = joint_values(message, source.names) * source.radians
    hard = robot.hard_limits
    beyond = np.maximum(hard.lower - q, q - hard.upper)
    worst = int(beyond.argmax())
    if beyond[worst] > BEYOND_RAD:
        raise ObservationError(
            f'{source.names[worst]} at {q[worst]:.2f} rad is beyond its limits '
            f'{hard.lower[worst]:.2f} .. {hard.upper[worst]:.2f}; if the bag has degrees, say '
            '`unit: deg` in the map'
        )
    if not len(message.velocity):
        return np.concatenate([q, np.full(len(q), np.nan)])
    return np.concatenate([q, joint_values(message, source.names, 'velocity') * source.radians])


def gripper_row(message: Any, source: GripperSource) -> np.ndarray | None:
    """Return how closed the gripper is (1,); None of another device.

    Raises:
        ObservationError: a joint is missing, not finite or far beyond its ends.
    """
    ends = source.open_position, source.closed_position
    if not source.joints:
        return np.array([closedness_of(float(message.data), *ends)])
    if not set(source.joints) & set(message.name):
        return None
    return np.array([closedness(message, source.joints, *ends)])


def with_velocities(arm: Track) -> Track:
    """Fill in velocities (K, 7..14) that were not published, from the positions."""
    unknown = np.isnan(arm.values[:, 7:]).any(axis=1)
    if not unknown.any():
        return arm
    values = arm.values.copy()
    if len(values) > 1:
        values[unknown, 7:] = np.gradient(values[:, :7], arm.stamps_s, axis=0)[unknown]
    else:
        values[:, 7:] = 0.0
    return Track(arm.stamps_s, values)


@dataclass
class Thinned:
    """Lets a message through that is far enough from the last one of its kind.

    Arm and gripper may share a topic: the length tells their messages apart.
    """

    last_s: dict[int, float] = field(default_factory=dict)

    def lets(self, length: int, stamp_s: float) -> bool:
        """Whether a message of so many bytes is worth decoding."""
        if abs(stamp_s - self.last_s.get(length, -1e18)) < LEAST_STEP_S:
            return False
        self.last_s[length] = stamp_s
        return True


def nearest(stamps_s: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Return for each of the times the index of the nearest of the increasing stamps."""
    right = np.clip(np.searchsorted(stamps_s, times_s), 1, max(len(stamps_s) - 1, 1))
    right = np.minimum(right, len(stamps_s) - 1)
    left = np.maximum(right - 1, 0)
    closer = np.abs(stamps_s[left] - times_s) <= np.abs(stamps_s[right] - times_s)
    return np.asarray(np.where(closer, left, right))
