# SPDX-License-Identifier: Apache-2.0
"""Where the arm was measured, where it was sent, and so where it will be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from vidplan_core.control.commands import NO_PLAN, CommittedMotion
from vidplan_core.control.gripper_schedule import GripperSchedule
from vidplan_core.control.rejection import NO_STATE
from vidplan_core.errors import CommandRejectedError, ObservationError
from vidplan_core.geometry.fk import pose_and_jacobian
from vidplan_core.geometry.path import SAME_TIME_S, JointTrajectoryPlan
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.se3 import matrix_to_quaternion

Array = NDArray[np.float64]

# Measured joint velocities below this are noise of an arm that stands, rad/s.
_RESTING_RAD_S = 0.03


@dataclass(frozen=True, eq=False)
class MeasuredJoints:
    """A joint state: angles (7,) in rad and velocities (7,) in rad/s at a time in s.

    `arrived_s` is when it came, by the clock of the adapter.
    """

    stamp_s: float
    q: Array
    dq: Array
    arrived_s: float = np.inf

    @classmethod
    def read(
        cls,
        wanted: Sequence[str],
        stamp_s: float,
        names: Sequence[str],
        q: ArrayLike,
        dq: ArrayLike,
        arrived_s: float,
    ) -> MeasuredJoints:
        """Find the `wanted` joints among others by their names.

        Raises:
            ObservationError: a joint is missing or named twice, sizes differ, or NaN.
        """
        if any(list(names).count(name) != 1 for name in wanted):
            raise ObservationError(
                f'joint states must name each of {list(wanted)} once; got {list(names)}'
            )
        index = [list(names).index(name) for name in wanted]
        angles, speeds = np.asarray(q, np.float64), np.asarray(dq, np.float64)
        if angles.shape != (len(names),) or speeds.shape != (len(names),):
            raise ObservationError(
                f'{len(names)} joints need as many positions and velocities, got '
                f'{angles.shape} and {speeds.shape}'
            )
        angles, speeds = angles[index], speeds[index]
        if not np.isfinite([*angles, *speeds, stamp_s]).all():
            raise ObservationError(
                f'joint states must be finite, got {angles} and {speeds} at {stamp_s} s'
            )
        return cls(stamp_s, angles, speeds, arrived_s)

    @property
    def resting(self) -> bool:
        """Whether the arm stands; sensors never read exactly zero."""
        return bool(np.abs(self.dq).max() <= _RESTING_RAD_S)


@dataclass(frozen=True, eq=False)
class Sent:
    """A motion that the controller was sent.

    Attributes:
        start_s: time of the path's first knot.
        path: the motion.
        plan_id: of the plan it follows, 0 for a stop or hold.
        observed_s: stamp of the newest observation that any plan so far was made from.
        time_ratio: time that the last plan takes over the time that it was given, 1 before one.
        settling: whether it brings what is commanded to where the arm was measured.
    """

    start_s: float
    path: JointTrajectoryPlan
    plan_id: int
    observed_s: float
    time_ratio: float = 1.0
    settling: bool = False

    @property
    def end_s(self) -> float:
        """When it rests."""
        return self.start_s + self.path.duration_s


class Follows(Enum):
    """What an arm follows after a fault.

    LAST is what was sent last; BEFORE what was sent before that, because the controller refused
    the last; NOTHING, because controller or robot have stopped by themselves: a stop, sent to
    them, would lead the arm from where it is back to its path.
    """

    LAST = 'last'
    BEFORE = 'before'
    NOTHING = 'nothing'


class Timeline:
    """The newest joint state and the newest motion sent, in one clock's time.

    The controller continues each motion from its own desired state, so what was sent says where
    the arm will be; what was measured says so only until the first motion.
    """

    def __init__(self) -> None:
        self.measured: MeasuredJoints | None = None
        self._sent: Sent | None = None
        self._before: Sent | None = None

    @property
    def sent(self) -> Sent | None:
        """The motion that the controller was sent last, and follows; None before any."""
        return self._sent

    @sent.setter
    def sent(self, motion: Sent) -> None:
        self._before, self._sent = self._sent, motion

    def keep(self, follows: Follows) -> None:
        """Take in what the arm follows, where it is not what was sent last."""
        if follows is not Follows.LAST:
            self._sent = self._before if follows is Follows.BEFORE else None
            self._before = None

    def moving(self, now_s: float) -> bool:
        """Whether the motion sent last has not come to rest."""
        return self.sent is not None and now_s < self.sent.end_s

    @property
    def stopping(self) -> bool:
        """Whether the motion sent last is a stop or hold."""
        sent = self.sent
        return sent is not None and sent.plan_id == NO_PLAN and not sent.settling

    @property
    def observed_s(self) -> float:
        """Stamp of the newest observation that a plan was made from; -inf before the first."""
        return self.sent.observed_s if self.sent else -np.inf

    def desired(self, time_s: float) -> tuple[Array, Array, Array]:
        """Return angles, velocities and accelerations (7,) that the controller is sent to.

        Raises:
            CommandRejectedError: NO_STATE, nothing was sent nor measured.
        """
        if self.sent is not None:
            return self.sent.path.sample(time_s - self.sent.start_s)
        if self.measured is None:
            raise CommandRejectedError(NO_STATE, 'no joint state has come; is the robot running?')
        dq = self.measured.dq * (not self.measured.resting)
        return self.measured.q, dq, np.zeros_like(dq)

    def expected(self, time_s: float) -> Array | None:
        """Return the angles (7,) that an arm is measured at that follows; None before any motion.

        While what is commanded settles to where the arm is, the arm stands there already.
        """
        if self.sent is None:
            return None
        return self.sent.path.q[-1] if self.sent.settling else self.desired(time_s)[0]

    def desired_at(self, times_s: Array) -> tuple[Array, Array, Array]:
        """Return desired angles, velocities and accelerations (K, 7) at times (K,)."""
        if self.sent is not None:
            return self.sent.path.sample(times_s - self.sent.start_s)
        states = [self.desired(float(time_s)) for time_s in times_s]
        q, dq, ddq = (np.stack(values) for values in zip(*states, strict=True))
        return q, dq, ddq

    def ahead(self, now_s: float, until_s: float) -> JointTrajectoryPlan:
        """Return what was sent for the time from now until later, as a motion of its own."""
        times = np.array([now_s, until_s])
        if self.sent is not None:
            knots = self.sent.start_s + self.sent.path.times_s
            inner = (knots > now_s + SAME_TIME_S) & (knots < until_s - SAME_TIME_S)
            times = np.concatenate(([now_s], knots[inner], [until_s]))
        return JointTrajectoryPlan(times - now_s, *self.desired_at(times))

    def shift(self, step_s: float) -> None:
        """Move all to a clock that was set by `step_s`; what was measured is too old for it."""
        self.measured = None
        if self.sent is not None:
            sent = self.sent
            observed_s = sent.observed_s + step_s
            self._sent = replace(sent, start_s=sent.start_s + step_s, observed_s=observed_s)


def committed_motion(
    robot: RobotModel, timeline: Timeline, gripper: GripperSchedule, now_s: float, step_s: float
) -> CommittedMotion:
    """Return what the arm will do if no more plan comes, until rest, in steps of `step_s`.

    Raises:
        CommandRejectedError: NO_STATE, nothing is known of the arm.
    """
    sent = timeline.sent
    end_s = max(now_s, sent.end_s) if sent else now_s
    inner = np.arange(now_s, end_s, step_s)
    times = np.append(inner[inner < end_s - 1e-6], end_s)
    q, dq, _ = timeline.desired_at(times)
    position, rotation, jacobians = pose_and_jacobian(torch.from_numpy(q), robot)
    velocity = (jacobians @ torch.from_numpy(dq)[..., None])[:, :3, 0]
    return CommittedMotion(
        times_s=times,
        position=position.numpy(),
        quaternion=matrix_to_quaternion(rotation).numpy(),
        closedness=gripper.at(times),
        velocity=velocity.numpy(),
        q=q,
        dq=dq,
        time_ratio=sent.time_ratio if sent else 1.0,
    )
