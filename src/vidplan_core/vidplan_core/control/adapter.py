# SPDX-License-Identifier: Apache-2.0
"""The action adapter: the only part that commands the robot, and every motion it sends ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidplan_core.control import plan_checks
from vidplan_core.control.commands import (
    NO_PLAN,
    AdapterOutput,
    AdapterState,
    CommittedMotion,
    PlanCommand,
    TrajectoryCommand,
)
from vidplan_core.control.config import AdapterConfig
from vidplan_core.control.following import PlanFollower, pose_at
from vidplan_core.control.gripper_schedule import GripperSchedule
from vidplan_core.control.joint_monitor import ContactWatch, JointMonitor, behind
from vidplan_core.control.rejection import CLOCK_STEP, NO_STATE, OUT_OF_ORDER, TRACKING
from vidplan_core.control.safety import CommandChecker
from vidplan_core.control.timeline import Follows, MeasuredJoints, Sent, Timeline, committed_motion
from vidplan_core.control.watchdog import FINE, PLAN_OVERDUE, Verdict, Watchdog
from vidplan_core.errors import CommandRejectedError, ObservationError
from vidplan_core.geometry.fk import arm_frames
from vidplan_core.geometry.ik import IkTolerance
from vidplan_core.geometry.path import SAME_TIME_S, JointTrajectoryPlan
from vidplan_core.geometry.trajectory import HOLD_S, brake, brake_along, joint_trajectory

Array = NDArray[np.float64]

# Clocks may step back by a rounding; more than this is a restarted simulation or bag.
_CLOCK_RESTART_S = 0.1

# What is commanded settles to where the arm is at these shares of velocity and acceleration.
_SETTLING_PACE = 0.1, 0.1

# A motion that the limits stretch may take so many times the longest plan.
_LONGER = 2.0


class ActionAdapter:
    """Turns plans into joint trajectories; deterministic, without threads, clocks or ROS.

    It assumes a controller that begins each trajectory from its own desired state
    (`interpolate_from_desired_state`), which is the trajectory sent before. Times are seconds of
    one clock. What a joint state says is never followed: where it disagrees with what was sent,
    the arm comes to rest on the path that it was sent, and stays there until `rearm` or `reset`.
    """

    def __init__(self, config: AdapterConfig | None = None) -> None:
        """Start without knowing where the arm is."""
        self.config = config or AdapterConfig()
        self._robot = self.config.robot
        self._checker = CommandChecker(self.config.safety, self._robot)
        self._watchdog = Watchdog(self.config.joint_state_timeout_s)
        tolerance = IkTolerance(*self.config.ik_tolerance)
        self._follower = PlanFollower(self._robot, tolerance, self.config.elbow_rad_s)
        most_rad = self.config.safety.max_tracking_error_rad
        self._monitor = JointMonitor(self._robot.hard_limits, most_rad)
        self._contact = ContactWatch(self.config.contact_error_rad)
        self.reset()

    def reset(self) -> None:
        """Forget the arm's state, all motion and all faults."""
        self._timeline = Timeline()
        self._monitor.reset()
        self._contact.reset()
        self._gripper = GripperSchedule()
        self._rejection = ''
        self._latest_s = -np.inf

    def on_joint_state(
        self,
        stamp_s: float,
        names: Sequence[str],
        q: ArrayLike,
        dq: ArrayLike,
        arrived_s: float = np.inf,
    ) -> None:
        """Take in where the arm is; joints are found by name, others (fingers) are left out.

        One that cannot be true is a fault: the arm comes to rest where it was sent, and `rearm`
        or `reset` alone let it move again.

        Args:
            stamp_s: when it was measured, s.
            names: of the joints.
            q: their angles, rad.
            dq: their velocities, rad/s.
            arrived_s: when it came, s; what is stamped ahead counts from then.

        Raises:
            ObservationError: a joint is missing or named twice, sizes differ, or NaN.
        """
        measured = MeasuredJoints.read(self._robot.joint_names, stamp_s, names, q, dq, arrived_s)
        expected = self._timeline.expected(min(stamp_s, arrived_s))
        self._monitor.look(measured, expected)
        if expected is not None:
            self._contact.look(behind(expected, measured.q), self._timeline.stopping)
        self._timeline.measured = measured

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
        """Return the quickest way to rest on the path that is followed; never refused.

        Raises:
            CommandRejectedError: nothing was sent yet and the arm's state is unknown (NO_STATE)
                or not to be believed (the fault's reason).
        """
        self._follow_clock(now_s)
        sent, hard = self._timeline.sent, self._robot.hard_limits
        if sent is not None:
            elapsed_s = max(0.0, now_s - sent.start_s)
            return self._halt(brake_along(sent.path, elapsed_s, hard), now_s)
        if (fault := self._monitor.verdict).reason != FINE:
            raise CommandRejectedError(fault.reason, fault.message)
        moment = self._timeline.desired(now_s)
        return self._halt(brake(moment, self._robot.limits, hard), now_s)

    def rearm(self, now_s: float) -> TrajectoryCommand:
        """Believe the measured state again, on a person's word, and take it for the commanded one.

        What the controller is commanded is led there slowly, while the arm already stands there.

        Raises:
            CommandRejectedError: the arm's state is old, impossible, or it moves; or the way there
                leaves limits or boxes, and only a controller that begins anew can help.
        """
        measured = self._timeline.measured
        if measured is None or self._silence(now_s).reason not in (FINE, PLAN_OVERDUE):
            raise CommandRejectedError(NO_STATE, self._silence(now_s).message)
        if self._timeline.moving(now_s) or not self._monitor.rests(measured):
            raise CommandRejectedError(TRACKING, 'the arm moves; wait until it rests')
        self._monitor.require_possible(measured)
        desired, rest, _ = self._timeline.desired(now_s)
        limits = self._robot.slowed(*_SETTLING_PACE).limits
        path = joint_trajectory((desired, measured.q), rest, HOLD_S, limits)
        command = TrajectoryCommand.from_path(path, now_s, self._robot.joint_names, NO_PLAN)
        self._checker.check_trajectory(command, desired, rest, rest)
        self._monitor.reset()
        self._halt(path, now_s, settling=True)
        return command

    def on_fault(self, reason: str, message: str, follows: Follows = Follows.LAST) -> None:
        """Take in a fault that others found, and what the arm follows since.

        It brakes on that, if on anything, and stays at rest until `rearm` or `reset`.
        """
        self._timeline.keep(follows)
        self._gripper.replace(())
        self._monitor.fail(reason, message)

    def poll(self, now_s: float) -> AdapterOutput:
        """Return what is due now; to be called at least once per control period."""
        self._follow_clock(now_s)
        timeline = self._timeline
        must_rest = self._verdict(now_s).rest or self._contact.pressing
        if must_rest and timeline.moving(now_s) and not timeline.stopping:
            return AdapterOutput(trajectory=self.stop(now_s))
        return AdapterOutput(closedness=self._gripper.pop_due(now_s))

    def committed(self, now_s: float) -> CommittedMotion:
        """Return what the arm will do if no more plan comes, from now until it rests.

        Raises:
            CommandRejectedError: NO_STATE, nothing is known of the arm.
        """
        step_s = self.config.committed_step_s
        return committed_motion(self._robot, self._timeline, self._gripper, now_s, step_s)

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
        splice_s = plan.start_s if plan.start_s > now_s + SAME_TIME_S else now_s
        moment = self._timeline.desired(splice_s)
        self._checker.check_start(pose_at(plan, splice_s), self._flange(moment[0]))
        path = self._follower.path(plan, splice_s, moment)
        planned_s = plan.start_s + plan.period_s * (len(plan.positions) - 1) - splice_s
        time_ratio = path.duration_s / planned_s
        plan_checks.check_duration(path.duration_s, _LONGER * self.config.safety.max_duration_s)
        if splice_s > now_s:
            path = self._timeline.ahead(now_s, splice_s).then(path)
        due = plan.start_s + plan.period_s * np.arange(len(plan.closedness))
        present = self._gripper.present(float(plan.closedness[0]), splice_s)
        events = self.config.gripper.events(present, due[1:], plan.closedness[1:])
        names = self._robot.joint_names
        command = TrajectoryCommand.from_path(path, now_s, names, plan.plan_id, events)
        self._checker.check_trajectory(command, *self._timeline.desired(now_s))
        self._gripper.replace(events, splice_s)
        self._timeline.sent = Sent(now_s, path, plan.plan_id, plan.stamp_s, time_ratio)
        self._rejection = ''
        return command

    def _halt(
        self, path: JointTrajectoryPlan, now_s: float, settling: bool = False
    ) -> TrajectoryCommand:
        """Send a motion that follows no plan; plans from before the last one stay outdated."""
        last = self._timeline.sent
        ratio = last.time_ratio if last else 1.0
        observed_s = self._timeline.observed_s
        self._timeline.sent = Sent(now_s, path, NO_PLAN, observed_s, ratio, settling)
        self._gripper.replace(())
        return TrajectoryCommand.from_path(path, now_s, self._robot.joint_names, NO_PLAN)

    def _require_arm(self, now_s: float) -> None:
        """Raise unless the arm's state is known, to be believed, and where it was sent."""
        measured, verdict = self._timeline.measured, self._silence(now_s)
        if measured is None or verdict.reason not in (FINE, PLAN_OVERDUE):
            raise CommandRejectedError(NO_STATE, verdict.message)
        if (fault := self._monitor.verdict).reason != FINE:
            raise CommandRejectedError(fault.reason, fault.message)
        desired = self._timeline.desired(measured.stamp_s)[0]
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
        """What forbids to move: a fault that stays, else somebody's silence."""
        fault = self._monitor.verdict
        return fault if fault.reason != FINE else self._silence(now_s)

    def _silence(self, now_s: float) -> Verdict:
        measured, sent = self._timeline.measured, self._timeline.sent
        rest_at_s = sent.end_s if sent else None
        if measured is None:
            return self._watchdog.check(now_s, None, rest_at_s)
        return self._watchdog.check(now_s, measured.stamp_s, rest_at_s, measured.arrived_s)

    def on_clock_step(self, step_s: float) -> None:
        """Take in that the clock was set by `step_s`: an arm in motion brakes, and it is a fault.

        At rest without a fault, the arm's state is learned anew.
        """
        moving = self._timeline.moving(self._latest_s)
        self._latest_s += step_s
        self._monitor.forget()
        if moving:
            message = f'the clock was set by {step_s:.3f} s while the arm moved'
            self._monitor.fail(CLOCK_STEP, message)
        if self._monitor.verdict.reason == FINE:
            self._timeline = Timeline()
        else:
            self._timeline.shift(step_s)

    def _follow_clock(self, now_s: float) -> None:
        if now_s < self._latest_s - _CLOCK_RESTART_S:
            self.on_clock_step(now_s - self._latest_s)
        self._latest_s = max(self._latest_s, now_s)

    def _flange(self, q: Array) -> tuple[Array, Array]:
        positions, rotations = arm_frames(self._robot, q[None])
        return positions[0, -1], rotations[0, -1]
