# SPDX-License-Identifier: Apache-2.0
"""What planner, adapter and robot say to each other, without ROS.

Times named `stamp_s`, `start_s` and `times_s` are seconds of one clock (ROS or simulated time).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vidplan_core.control.watchdog import Verdict
from vidplan_core.geometry.path import JointTrajectoryPlan

Array = NDArray[np.float64]

# The plan id of a motion that follows no plan: a stop, a hold, nothing.
NO_PLAN = 0


@dataclass(frozen=True, eq=False)
class PlanCommand:
    """A chunk of flange poses that the planner wants the arm to follow, then to rest.

    Attributes:
        plan_id: number of the plan, above 0, for logs and status.
        stamp_s: time of the observation that the plan was made from.
        start_s: when frame 0 is due.
        period_s: time between frames, s.
        positions: flange in the robot base frame (F, 3), m.
        quaternions: flange (F, 4), xyzw.
        closedness: gripper (F,), 0 open .. 1 closed.
    """

    plan_id: int
    stamp_s: float
    start_s: float
    period_s: float
    positions: Array
    quaternions: Array
    closedness: Array


@dataclass(frozen=True, eq=False)
class TrajectoryPoint:
    """Where the joints shall be, `time_from_start_s` after the trajectory's stamp.

    Attributes:
        time_from_start_s: positive, s.
        q: (7,), rad.
        dq: (7,), rad/s.
        ddq: (7,), rad/s^2.
    """

    time_from_start_s: float
    q: Array
    dq: Array
    ddq: Array


@dataclass(frozen=True)
class GripperEvent:
    """When the gripper shall change to which closedness, 0 open .. 1 closed."""

    time_s: float
    closedness: float


@dataclass(frozen=True, eq=False)
class TrajectoryCommand:
    """A joint trajectory for the robot's controller; its end is exactly at rest.

    Attributes:
        plan_id: of the plan it follows; 0 for a stop or hold.
        stamp_s: time from which the points count; the controller interpolates from where it is.
        joint_names: (7) names, in the order of the points.
        points: in rising order of time.
        gripper: what the gripper does meanwhile, in absolute time; `ActionAdapter.poll` says when.
    """

    plan_id: int
    stamp_s: float
    joint_names: tuple[str, ...]
    points: tuple[TrajectoryPoint, ...]
    gripper: tuple[GripperEvent, ...] = ()

    @classmethod
    def from_path(
        cls,
        path: JointTrajectoryPlan,
        stamp_s: float,
        joint_names: tuple[str, ...],
        plan_id: int,
        gripper: tuple[GripperEvent, ...] = (),
    ) -> TrajectoryCommand:
        """Command a path that begins at `stamp_s`.

        Its first knot, where the arm is, is left out: a point at time 0 would make the
        controller jump to it instead of interpolating from its own state.
        """
        points = tuple(
            TrajectoryPoint(float(time_s), q, dq, ddq)
            for time_s, q, dq, ddq in zip(
                path.times_s[1:], path.q[1:], path.dq[1:], path.ddq[1:], strict=True
            )
        )
        return cls(plan_id, stamp_s, joint_names, points, gripper)

    def path_from(self, q: Array, dq: Array, ddq: Array) -> JointTrajectoryPlan:
        """Return the motion that a controller makes of it from a state, three times (7,)."""
        times = np.array([0.0, *(point.time_from_start_s for point in self.points)])
        return JointTrajectoryPlan(
            times,
            np.stack([q, *(point.q for point in self.points)]),
            np.stack([dq, *(point.dq for point in self.points)]),
            np.stack([ddq, *(point.ddq for point in self.points)]),
        )


@dataclass(frozen=True, eq=False)
class CommittedMotion:
    """What the arm will do if nobody says otherwise, from now until it rests.

    Attributes:
        times_s: (K,), rising; the first is now, from the last on the arm rests.
        position: flange (K, 3), m.
        quaternion: flange (K, 4), xyzw.
        closedness: (K,), 0 open .. 1 closed.
        velocity: linear velocity of the flange (K, 3), m/s; empty when it was not given.
        q: (K, 7), rad; empty when it was not given.
        dq: (K, 7), rad/s; empty when it was not given.
        time_ratio: time that the last plan takes over the time that it was given, 1 before one.
    """

    times_s: Array
    position: Array
    quaternion: Array
    closedness: Array
    velocity: Array = field(default_factory=lambda: np.zeros((0, 3)))
    q: Array = field(default_factory=lambda: np.zeros((0, 7)))
    dq: Array = field(default_factory=lambda: np.zeros((0, 7)))
    time_ratio: float = 1.0


@dataclass(frozen=True)
class AdapterState:
    """What the adapter is doing, for status messages.

    Attributes:
        plan_id: of the plan being followed, 0 when none.
        moving: whether the last trajectory has not ended yet.
        stopping: whether it is a stop or hold instead of a plan.
        rest_in_s: time until the arm rests, 0 when it does.
        time_ratio: time that the last plan takes over the time that it was given: 1 when the arm
            does in time what was imagined, and before the first plan.
        verdict: the watchdog's.
        rejection: the last plan's rejection, 'REASON: message', empty when it was accepted.
    """

    plan_id: int
    moving: bool
    stopping: bool
    rest_in_s: float
    time_ratio: float
    verdict: Verdict
    rejection: str


@dataclass(frozen=True)
class AdapterOutput:
    """What is due now, if anything.

    Attributes:
        trajectory: a stop that the watchdog demands, or a hold where somebody moved the arm to.
        closedness: what the gripper is to be commanded, 0 open .. 1 closed.
    """

    trajectory: TrajectoryCommand | None = None
    closedness: float | None = None
