# SPDX-License-Identifier: Apache-2.0
"""How a plan's poses become joint angles in their time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vidplan_core.control.commands import PlanCommand
from vidplan_core.control.rejection import STALE, UNREACHABLE
from vidplan_core.errors import CommandRejectedError, IkError
from vidplan_core.geometry.elbow import elbow_drift
from vidplan_core.geometry.ik import IkSolver, IkTolerance
from vidplan_core.geometry.path import JointTrajectoryPlan
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.trajectory import JointMoment, joint_trajectory

Array = NDArray[np.float64]

# A motion that takes so many times longer does so for the hand: a drift of the elbow needs a
# tenth of what the joints can do.
_OF_THE_HAND = 1.5


class PlanFollower:
    """Finds joint motions within a robot's planning limits through the frames of a plan."""

    def __init__(self, robot: RobotModel, tolerance: IkTolerance, elbow_rad_s: float) -> None:
        """Follow poses within a tolerance, a free elbow drifting at most at `elbow_rad_s`."""
        self._robot = robot
        self._elbow_rad_s = elbow_rad_s
        self._ik = IkSolver(robot, tolerance)

    def path(
        self, plan: PlanCommand, splice_s: float, moment: JointMoment
    ) -> JointTrajectoryPlan:
        """Return the motion through the frames that lie ahead of the splice, from a state there.

        Raises:
            CommandRejectedError: STALE, no frame lies ahead; UNREACHABLE, a pose has no angles.
        """
        due = plan.start_s + plan.period_s * np.arange(len(plan.positions))
        ahead = np.flatnonzero(due - splice_s >= plan.period_s / 2 - 1e-9)
        if not len(ahead):
            raise CommandRejectedError(
                STALE, 'the plan came too late for its last frame; commit to more frames'
            )
        rotations = Rotation.from_quat(plan.quaternions).as_matrix()
        poses = np.asarray(plan.positions)[ahead], rotations[ahead]
        times = np.asarray(due[ahead] - splice_s, np.float64)
        found: list[JointTrajectoryPlan] = []
        problem: IkError | None = None
        # The hand's time comes first: where it would cost some, the elbow waits.
        for elbow_rad_s in (self._elbow_rad_s, 0.0):
            try:
                found.append(self._through(poses, times, plan.period_s, moment, elbow_rad_s))
            except IkError as error:
                problem = error
            if found and _elbow_is_innocent(found[-1].duration_s, float(times[-1])):
                break
        if not found:
            raise CommandRejectedError(UNREACHABLE, str(problem)) from problem
        return min(found, key=lambda path: path.duration_s)

    def _through(
        self,
        poses: tuple[Array, Array],
        times_s: Array,
        period_s: float,
        moment: JointMoment,
        elbow_rad_s: float,
    ) -> JointTrajectoryPlan:
        """Return the motion from a state through poses at times; raises IkError."""
        q, dq, ddq = moment
        drift = elbow_drift(self._robot, q, dq, times_s, elbow_rad_s)
        angles = self._ik.track(q, *poses, period_s, drift)
        waypoints = np.concatenate((q[None], angles))
        first_s, limits = float(times_s[0]), self._robot.limits
        return joint_trajectory(waypoints, dq, period_s, limits, first_s, ddq)


def _elbow_is_innocent(taken_s: float, planned_s: float) -> bool:
    """Whether a motion takes as long with a still elbow: no longer, or far longer, than asked."""
    return taken_s <= planned_s + 1e-9 or taken_s > _OF_THE_HAND * planned_s


def pose_at(plan: PlanCommand, time_s: float) -> tuple[Array, Array]:
    """Return position (3,) and rotation (3, 3) of a chunk at a time, straight between frames."""
    frames = (time_s - plan.start_s) / plan.period_s
    index = int(np.clip(np.floor(frames), 0, len(plan.positions) - 2))
    part = float(np.clip(frames - index, 0, 1))
    p0, p1 = np.asarray(plan.positions, np.float64)[index : index + 2]
    r0, r1 = Rotation.from_quat(plan.quaternions[index : index + 2])
    rotation = r0 * Rotation.from_rotvec(part * (r0.inv() * r1).as_rotvec())
    return p0 + part * (p1 - p0), rotation.as_matrix()
