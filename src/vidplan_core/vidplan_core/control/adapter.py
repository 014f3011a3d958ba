# SPDX-License-Identifier: Apache-2.0
"""The action adapter: the only part that commands the robot, and every motion it sends ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from vidplan_core.control.adapter_types import AdapterOutput, AdapterState
from vidplan_core.control.commands import NO_PLAN, CommittedMotion, PlanCommand, TrajectoryCommand
from vidplan_core.control.config import AdapterConfig
from vidplan_core.control.gripper_schedule import GripperSchedule
from vidplan_core.control.rejection import NO_STATE, OUT_OF_ORDER, STALE, UNREACHABLE
from vidplan_core.control.safety import CommandChecker
from vidplan_core.control.timeline import MeasuredJoints, Sent, Timeline
from vidplan_core.control.watchdog import FINE, Verdict, Watchdog
from vidplan_core.errors import CommandRejectedError, IkError, ObservationError
from vidplan_core.geometry.elbow import elbow_drift
from vidplan_core.geometry.fk import flange_pose, pose_and_jacobian
from vidplan_core.geometry.ik import IkSolver, IkTolerance
from vidplan_core.geometry.path import JointTrajectoryPlan
from vidplan_core.geometry.se3 import matrix_to_quaternion, quaternion_to_matrix, so3_exp, so3_log
from vidplan_core.geometry.trajectory import HOLD_S, brake, joint_trajectory

Array = NDArray[np.float64]

# Clocks may step back by a rounding; more than this is a restarted simulation or bag.
_CLOCK_RESTART_S = 0.1

# A plan that begins within this time begins now: knots so close would make no cubic.
_IMMINENT_S = 1e-3


class ActionAdapter:
    """Turns plans into joint trajectories; deterministic, without threads, clocks or ROS.

    It assumes a controller that begins each trajectory from its own desired state
    (`interpolate_from_desired_state`), which is the trajectory sent before. Times are seconds of
    one clock; when it runs backwards, everything is forgotten and learned anew.
    """

    def __init__(self, config: AdapterConfig | None = None) -> None:
        """Start without knowing where the arm is."""
        self.config = config or AdapterConfig()
        self._robot = self.config.robot
        self._checker = CommandChecker(self.config.safety, self._robot)
        self._watchdog = Watchdog(self.config.joint_state_timeout_s)
        self._ik = IkSolver(self._robot, IkTolerance(*self.config.ik_tolerance))
        self.reset()

    def reset(self) -> None:
        """Forget the arm's state and all motion."""
        self._timeline = Timeline()
        self._gripper = GripperSchedule()
        self._rejection = ''
        self._latest_s = -np.inf

    def on_joint_state(
        self, stamp_s: float, names: Sequence[str], q: ArrayLike, dq: ArrayLike
    ) -> None:
        """Take in where the arm is; joints are found by name, others (fingers) are left out.

        Raises:
            ObservationError: a joint is missing or named twice, sizes differ, or NaN.
        """
        index = self._joint_index(names)
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
        self._timeline.measured = MeasuredJoints(stamp_s, angles, speeds)

    def on_gripper_state(self, closedness: float) -> None:
        """Take in the measured closedness, 0 open .. 1 closed."""
        if not np.isfinite(closedness):
            raise ObservationError(f'the closedness must be finite, got {closedness}')
        self._gripper.measure(closedness)

    def on_plan(self, plan: PlanCommand, now_s: float) -> TrajectoryCommand:
        """Return the trajectory that keeps to the committed motion and then follows the plan.

        What was sent before holds until the plan's `start_s`. A plan that comes late by less than
        a frame joins at its next frame that is at least half a period ahead.

        Raises:
            CommandRejectedError: the plan failed a check; what was sent before stays in force.
        """
        try:
            return self._accept(plan, now_s)
        except CommandRejectedError as error:
            self._rejection = str(error)
            raise

    def stop(self, now_s: float) -> TrajectoryCommand:
        """Return the quickest way to rest along the present direction; never refused.

        Raises:
            CommandRejectedError: NO_STATE, nothing was ever measured nor sent.
        """
        self._follow_clock(now_s)
        q, dq = self._timeline.desired(now_s)
        return self._halt(brake(q, dq, self._robot.limits, self._robot.hard_limits), now_s)

    def poll(self, now_s: float) -> AdapterOutput:
        """Return what is due now; to be called at least once per control period."""
        self._follow_clock(now_s)
        timeline = self._timeline
        if self._verdict(now_s).rest and timeline.moving(now_s) and not timeline.stopping:
            return AdapterOutput(trajectory=self.stop(now_s))
        if timeline.was_moved(now_s, self.config.safety.max_tracking_error_rad):
            return AdapterOutput(trajectory=self._settle(now_s))
        return AdapterOutput(closedness=self._gripper.pop_due(now_s))

    def committed(self, now_s: float) -> CommittedMotion:
        """Return what the arm will do if no more plan comes, from now until it rests.

        Raises:
            CommandRejectedError: NO_STATE, nothing is known of the arm.
        """
        sent = self._timeline.sent
        end_s = max(now_s, sent.end_s) if sent else now_s
        inner = np.arange(now_s, end_s, self.config.committed_step_s)
        times = np.append(inner[inner < end_s - 1e-6], end_s)
        q, dq = self._timeline.desired_at(times)
        position, rotation, jacobians = pose_and_jacobian(torch.from_numpy(q), self._robot)
        velocity = (jacobians @ torch.from_numpy(dq)[..., None])[:, :3, 0]
        return CommittedMotion(
            times_s=times,
            position=position.numpy(),
            quaternion=matrix_to_quaternion(rotation).numpy(),
            closedness=self._gripper.at(times),
            velocity=velocity.numpy(),
            q=q,
            dq=dq,
            time_ratio=sent.time_ratio if sent else 1.0,
        )

    def status(self, now_s: float) -> AdapterState:
        """Return what the adapter is doing."""
        last = self._timeline.sent
        sent = last if self._timeline.moving(now_s) else None
        return AdapterState(
            plan_id=sent.plan_id if sent else NO_PLAN,
            moving=sent is not None,
            stopping=sent is not None and self._timeline.stopping,
            rest_in_s=sent.end_s - now_s if sent else 0.0,
            time_ratio=last.time_ratio if last else 1.0,
            verdict=self._verdict(now_s),
            rejection=self._rejection,
        )

    def _accept(self, plan: PlanCommand, now_s: float) -> TrajectoryCommand:
        self._follow_clock(now_s)
        self._require_arm(now_s)
        self._checker.check_plan(plan, now_s)
        self._require_order(plan)
        splice_s = plan.start_s if plan.start_s > now_s + _IMMINENT_S else now_s
        q, dq = self._timeline.desired(splice_s)
        self._checker.check_start(_pose_at(plan, splice_s), self._flange(q))
        path = self._follow(plan, splice_s, q, dq)
        planned_s = plan.start_s + plan.period_s * (len(plan.positions) - 1) - splice_s
        time_ratio = path.duration_s / planned_s
        if splice_s > now_s:
            path = self._timeline.ahead(now_s, splice_s).then(path)
        due = plan.start_s + plan.period_s * np.arange(len(plan.closedness))
        present = self._gripper.present(float(plan.closedness[0]))
        events = self.config.gripper.events(present, due[1:], plan.closedness[1:])
        names = self._robot.joint_names
        command = TrajectoryCommand.from_path(path, now_s, names, plan.plan_id, events)
        self._checker.check_trajectory(command, *self._timeline.desired(now_s))
        self._gripper.replace(events)
        self._timeline.sent = Sent(now_s, path, plan.plan_id, plan.stamp_s, time_ratio)
        self._rejection = ''
        return command

    def _follow(
        self, plan: PlanCommand, splice_s: float, q: Array, dq: Array
    ) -> JointTrajectoryPlan:
        """Return the motion through the frames that lie ahead of the splice, from (q, dq)."""
        due = plan.start_s + plan.period_s * np.arange(len(plan.positions))
        ahead = np.flatnonzero(due - splice_s >= plan.period_s / 2 - 1e-9)
        if not len(ahead):
            raise CommandRejectedError(
                STALE, 'the plan came too late for its last frame; commit to more frames'
            )
        rotations = quaternion_to_matrix(_tensor(plan.quaternions)).numpy()
        poses = np.asarray(plan.positions)[ahead], rotations[ahead]
        times = np.asarray(due[ahead] - splice_s, np.float64)
        found: list[JointTrajectoryPlan] = []
        problem: IkError | None = None
        # The hand's time comes first: where it would cost some, the elbow waits.
        for elbow_rad_s in (self.config.elbow_rad_s, 0.0):
            try:
                found.append(self._through(poses, times, plan.period_s, q, dq, elbow_rad_s))
            except IkError as error:
                problem = error
            if found and found[-1].duration_s <= times[-1] + 1e-9:
                break
        if not found:
            raise CommandRejectedError(UNREACHABLE, str(problem)) from problem
        return min(found, key=lambda path: path.duration_s)

    def _through(
        self,
        poses: tuple[Array, Array],
        times_s: Array,
        period_s: float,
        q: Array,
        dq: Array,
        elbow_rad_s: float,
    ) -> JointTrajectoryPlan:
        """Return the motion from (q, dq) through poses at times; raises IkError."""
        drift = elbow_drift(self._robot, q, dq, times_s, elbow_rad_s)
        angles = self._ik.track(q, *poses, period_s, drift)
        waypoints = np.concatenate((q[None], angles))
        return joint_trajectory(waypoints, dq, period_s, self._robot.limits, float(times_s[0]))

    def _halt(self, path: JointTrajectoryPlan, now_s: float) -> TrajectoryCommand:
        """Send a motion that follows no plan; plans from before the last one stay outdated."""
        last = self._timeline.sent
        ratio = last.time_ratio if last else 1.0
        self._timeline.sent = Sent(now_s, path, NO_PLAN, self._timeline.observed_s, ratio)
        self._gripper.replace(())
        return TrajectoryCommand.from_path(path, now_s, self._robot.joint_names, NO_PLAN)

    def _settle(self, now_s: float) -> TrajectoryCommand:
        """Hold where the arm was moved to.

        A controller that still pulls at the old place goes there within the limits.
        """
        assert self._timeline.measured is not None
        desired, resting = self._timeline.desired(now_s)
        waypoints = np.stack((desired, self._timeline.measured.q))
        return self._halt(joint_trajectory(waypoints, resting, HOLD_S, self._robot.limits), now_s)

    def _require_arm(self, now_s: float) -> None:
        """Raise unless the arm's state is known, and where it was sent."""
        measured = self._timeline.measured
        verdict = self._watchdog.check(now_s, measured.stamp_s if measured else None, None)
        if measured is None or verdict.reason != FINE:
            raise CommandRejectedError(NO_STATE, verdict.message)
        desired, _ = self._timeline.desired(measured.stamp_s)
        self._checker.check_tracking(desired, measured.q)

    def _require_order(self, plan: PlanCommand) -> None:
        older_s = self._timeline.observed_s - plan.stamp_s
        if older_s > 0:
            raise CommandRejectedError(
                OUT_OF_ORDER,
                f'plan {plan.plan_id} was made from an observation {older_s:.3f} s older than the '
                "last plan's",
            )

    def _verdict(self, now_s: float) -> Verdict:
        measured, sent = self._timeline.measured, self._timeline.sent
        return self._watchdog.check(
            now_s, measured.stamp_s if measured else None, sent.end_s if sent else None
        )

    def _follow_clock(self, now_s: float) -> None:
        if now_s < self._latest_s - _CLOCK_RESTART_S:
            self.reset()
        self._latest_s = max(self._latest_s, now_s)

    def _flange(self, q: Array) -> tuple[Array, Array]:
        position, rotation = flange_pose(torch.from_numpy(q), self._robot)
        return position.numpy(), rotation.numpy()

    def _joint_index(self, names: Sequence[str]) -> list[int]:
        wanted = self._robot.joint_names
        if any(list(names).count(name) != 1 for name in wanted):
            raise ObservationError(
                f'joint states must name each of {list(wanted)} once; got {list(names)}'
            )
        return [list(names).index(name) for name in wanted]


def _tensor(values: ArrayLike) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float64))


def _pose_at(plan: PlanCommand, time_s: float) -> tuple[Array, Array]:
    """Return position (3,) and rotation (3, 3) of a chunk at a time, straight between frames."""
    frames = (time_s - plan.start_s) / plan.period_s
    index = int(np.clip(np.floor(frames), 0, len(plan.positions) - 2))
    part = float(np.clip(frames - index, 0, 1))
    p0, p1 = np.asarray(plan.positions, np.float64)[index : index + 2]
    r0, r1 = quaternion_to_matrix(_tensor(plan.quaternions)[index : index + 2])
    rotation = r0 @ so3_exp(part * so3_log(r0.mT @ r1))
    return p0 + part * (p1 - p0), rotation.numpy()
