# SPDX-License-Identifier: Apache-2.0
"""Where the arm was measured, where it was sent, and so where it will be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidplan_core.control.commands import NO_PLAN
from vidplan_core.control.rejection import NO_STATE
from vidplan_core.errors import CommandRejectedError
from vidplan_core.geometry.path import JointTrajectoryPlan

Array = NDArray[np.float64]

# Measured joint velocities below this are noise of an arm that stands, rad/s.
_RESTING_RAD_S = 0.03

# Knots nearer to each other than this are one, s.
_SAME_TIME_S = 1e-3


@dataclass(frozen=True, eq=False)
class MeasuredJoints:
    """A joint state: angles (7,) in rad and velocities (7,) in rad/s at a time in s."""

    stamp_s: float
    q: Array
    dq: Array


@dataclass(frozen=True, eq=False)
class Sent:
    """A motion that the controller was sent.

    Attributes:
        start_s: time of the path's first knot.
        path: the motion.
        plan_id: of the plan it follows, 0 for a stop or hold.
        observed_s: stamp of the newest observation that any plan so far was made from.
        time_ratio: time that the last plan takes over the time that it was given, 1 before one.
    """

    start_s: float
    path: JointTrajectoryPlan
    plan_id: int
    observed_s: float
    time_ratio: float = 1.0

    @property
    def end_s(self) -> float:
        """When it rests."""
        return self.start_s + self.path.duration_s


class Timeline:
    """The newest joint state and the newest motion sent, in one clock's time.

    The controller continues each motion from its own desired state, so what was sent says where
    the arm will be; what was measured says so only until the first motion.
    """

    def __init__(self) -> None:
        self.measured: MeasuredJoints | None = None
        self.sent: Sent | None = None

    def moving(self, now_s: float) -> bool:
        """Whether the motion sent last has not come to rest."""
        return self.sent is not None and now_s < self.sent.end_s

    @property
    def stopping(self) -> bool:
        """Whether the motion sent last is a stop or hold."""
        return self.sent is not None and self.sent.plan_id == NO_PLAN

    @property
    def observed_s(self) -> float:
        """Stamp of the newest observation that a plan was made from; -inf before the first."""
        return self.sent.observed_s if self.sent else -np.inf

    def desired(self, time_s: float) -> tuple[Array, Array]:
        """Return the angles and velocities (7,) that the controller is sent to at a time.

        Raises:
            CommandRejectedError: NO_STATE, nothing was sent nor measured.
        """
        if self.sent is not None:
            q, dq, _ = self.sent.path.sample(time_s - self.sent.start_s)
            return q, dq
        if self.measured is None:
            raise CommandRejectedError(NO_STATE, 'no joint state has come; is the robot running?')
        # Sensors never read exactly zero; an arm that really moves is not taken for resting.
        moves = np.abs(self.measured.dq).max() > _RESTING_RAD_S
        return self.measured.q, self.measured.dq * moves

    def desired_at(self, times_s: Array) -> tuple[Array, Array]:
        """Return the desired angles and velocities (K, 7) at times (K,)."""
        states = [self.desired(float(time_s)) for time_s in times_s]
        q, dq = (np.stack(values) for values in zip(*states, strict=True))
        return q, dq

    def ahead(self, now_s: float, until_s: float) -> JointTrajectoryPlan:
        """Return what was sent for the time from now until later, as a motion of its own."""
        times = np.array([now_s, until_s])
        if self.sent is not None:
            knots = self.sent.start_s + self.sent.path.times_s
            inner = (knots > now_s + _SAME_TIME_S) & (knots < until_s - _SAME_TIME_S)
            times = np.concatenate(([now_s], knots[inner], [until_s]))
        return JointTrajectoryPlan(times - now_s, *self.desired_at(times))

    def was_moved(self, now_s: float, tolerance_rad: float) -> bool:
        """Whether the arm rests, and was measured elsewhere than where it was sent."""
        if self.sent is None or self.measured is None or self.moving(now_s):
            return False
        if self.measured.stamp_s < self.sent.end_s:
            return False
        error = np.abs(self.sent.path.q[-1] - self.measured.q).max()
        return bool(error > tolerance_rad)
