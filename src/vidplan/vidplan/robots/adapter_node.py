# SPDX-License-Identifier: Apache-2.0
"""The action adapter: the only node that commands the robot.

It is a process of its own, so that it lives when the planner's dies. What it has sent always ends
at rest; it sends more only for a plan that passes every check. It brakes when it is asked to stop,
deactivated, shut down, or no longer hears where the arm is.
"""

from __future__ import annotations

import sys
import time
from typing import Any, cast

import torch
from rclpy.clock import Clock, ClockType, ROSClock
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from vidplan.parameters.adapter import AdapterParameters, adapter_config
from vidplan.robots.adapter_status import (
    NO_INCIDENT,
    Incident,
    Meters,
    Report,
    health,
    status_message,
)
from vidplan.robots.arm_side import ArmSide
from vidplan.robots.grippers import follow_schedule, make_gripper, problem_of
from vidplan.robots.joint_feed import JointFeed
from vidplan.robots.plan_intake import PlanIntake
from vidplan.robots.robot import gripper_closedness
from vidplan.ros import qos
from vidplan.ros.conversions import plan_command
from vidplan.ros.diagnostics import Diagnostics, Status
from vidplan.ros.lifecycle import ManagedNode
from vidplan.ros.parameters import declare
from vidplan.ros.running import run_node_with_shutdown
from vidplan.tasks.plan_gate import PlanGate
from vidplan_core.control.adapter import ActionAdapter
from vidplan_core.control.clock import ClockWatch
from vidplan_core.control.rejection import TRACKING
from vidplan_core.control.timeline import Follows
from vidplan_core.control.watchdog import FINE, PLAN_OVERDUE
from vidplan_core.data.readings import seconds
from vidplan_core.errors import CommandRejectedError, ObservationError
from vidplan_msgs.msg import AdapterStatus, Plan

# At shutdown: longest wait for the arm to be at rest.
_SHUTDOWN_S = 1.5


class AdapterNode(ManagedNode):
    """Passes plans through the core's adapter to the controller, and reports."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('adapter', **kwargs)
        self.parameters = declare(self, AdapterParameters)
        self._core = ActionAdapter(adapter_config(self.parameters))
        self._active = self._shutting_down = False
        self._incident = NO_INCIDENT
        self._joints = JointFeed(self._core, self.parameters.model.joint_names)
        self._clock_watch = ClockWatch(lambda: self.now_s, self.steady_s)
        self._next_status_s = 0.0
        self._published = (0, 0)
        self._meters = Meters(self.steady_s)
        self._create_interfaces()
        if self.parameters.autostart:
            self.start()

    def _create_interfaces(self) -> None:
        p = self.parameters
        ways = self._on_arm_fault, self._rearm, self._core.committed, self.steady_s
        self._side = ArmSide(self, p, *ways)
        self._arm = self._side.arm
        self._status_publisher = self.create_publisher(
            AdapterStatus, 'adapter/status', qos.LATCHED
        )
        self._gripper = make_gripper(self, p.gripper, p.gripper_speed_m_s, p.gripper_force_n)
        gate = PlanGate(p.base_frame, p.core.safety.max_frames)
        self._intake = PlanIntake(self, gate, self._on_plan, self._reject)
        self.create_subscription(JointState, 'joint_states', self._on_joints, qos.SENSOR)
        self.create_subscription(JointState, 'gripper/joint_states', self._on_gripper, qos.SENSOR)
        self.create_service(Trigger, 'adapter/stop', self._on_stop)
        self.create_service(Trigger, 'adapter/rearm', self._on_rearm)
        # Steady: a clock that stands still must not silence the watchdog.
        self._timer = self.create_timer(
            1.0 / p.control_rate_hz, self._on_timer, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self.diagnostics = Diagnostics(self)
        self.diagnostics.add('commands', self._diagnose)

    @property
    def now_s(self) -> float:
        """Present ROS time, s."""
        return self.get_clock().now().nanoseconds * 1e-9

    def steady_s(self) -> float:
        """Present time by a clock that nobody sets, s."""
        return time.monotonic()

    def activate(self) -> None:
        """Take plans from now on."""
        self._forget_motion()
        self._intake.gate.reset()
        self._incident, self._active = NO_INCIDENT, True
        self.get_logger().info('active' + ' (dry run)' * self.parameters.dry_run)

    def deactivate(self) -> None:
        """Bring the arm to rest and take no more plans."""
        inactive = Incident('INACTIVE', 'the adapter was deactivated')
        try:
            self.bring_to_rest(self._fault() if self.failure else inactive)
        finally:
            self._active = False

    def _on_joints(self, message: JointState) -> None:
        if self._joints.take(message, self.now_s):
            self._meters.joint_states.tick()

    def _on_gripper(self, message: JointState) -> None:
        try:
            self._core.on_gripper_state(gripper_closedness(self.parameters.model, message))
        except ObservationError as error:
            self.get_logger().error(f'gripper state: {error}', throttle_duration_sec=5.0)

    def _on_plan(self, message: Plan) -> None:
        started_s = time.monotonic()
        try:
            self._require_acceptable(message)
            if self.parameters.dry_run:
                self._forget_motion()
            command = self._core.on_plan(plan_command(message), self.now_s)
        except CommandRejectedError as error:
            self._reject(Incident.of(error, message.plan_id))
        except Exception as error:  # whatever it is, the arm must not go on because of it
            self._reject(Incident('INTERNAL', f'{type(error).__name__}: {error}', message.plan_id))
            self.bring_to_rest(self._incident)
        else:
            self._arm.send(command)
            self._meters.accepted.tick()
            self._intake.on_accepted(message)
            self._incident = NO_INCIDENT
            if self.parameters.dry_run:
                self._forget_motion()
            self._meters.work.add(time.monotonic() - started_s)
            self._meters.latency.add(self.now_s - seconds(message.observation_stamp))
        self._publish_status()

    def _require_acceptable(self, plan: Plan) -> None:
        """Raise CommandRejectedError for what the core cannot know."""
        self._require_active()
        if fault := self._fault():
            raise CommandRejectedError(fault.name, fault.message)
        self._intake.require(plan, self.now_s)
        if not self.parameters.dry_run and not self._intake.gate.last_plan_id and self._moves():
            raise CommandRejectedError(
                TRACKING, 'the arm moves, but not because of this adapter; who moves it?'
            )

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._intake.gate.on_stop(self.now_s)
        self.bring_to_rest(Incident('STOP_REQUESTED', 'a client called adapter/stop'))
        response.success = True
        response.message = f'at rest in {self._core.status(self.now_s).rest_in_s:.3f} s'
        return response

    def _on_rearm(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        problem = self._rearm()
        response.success, response.message = not problem, problem or 'plans are taken again'
        self.get_logger().warning(f'adapter/rearm: {response.message}')
        return response

    def _rearm(self) -> str:
        """Take plans again after a fault; returns why not, '' if so."""
        try:
            self._require_active()
            self._side.require_ready()
            self._arm.send(self._core.rearm(self.now_s))
        except CommandRejectedError as error:
            return str(error)
        self._intake.gate.on_stop(self.now_s)
        self._incident = NO_INCIDENT
        self._publish_status()
        return ''

    def _on_arm_fault(self, reason: str, message: str, follows: Follows) -> None:
        """Brake at once on what the arm follows, if on anything."""
        self._core.on_fault(reason, message, follows)
        self._send_due()

    def _require_active(self) -> None:
        if not self._active:
            raise CommandRejectedError('INACTIVE', 'the adapter is not active; activate it first')

    def _watch_clock(self) -> None:
        """Tell the core when ROS time was set; simulated time has a pace of its own."""
        step_s = self._clock_watch.step()
        if step_s and not cast(ROSClock, self.get_clock()).ros_time_is_active:
            self.get_logger().error(f'the clock was set by {step_s:.3f} s')
            self._core.on_clock_step(step_s)

    def _on_timer(self) -> None:
        self._watch_clock()
        self._side.poll()
        self._send_due()
        state = self._core.status(self.now_s)
        changed = (int(state.moving) + int(state.stopping), self._fault().code) != self._published
        if changed or self.steady_s() >= self._next_status_s:
            self._publish_status()

    def _send_due(self) -> None:
        """Send what the core says is due: a stop, the gripper."""
        if not self._active or self.parameters.dry_run:
            return
        output = self._core.poll(self.now_s)
        if output.trajectory is not None:
            self._arm.send(output.trajectory)
        follow_schedule(self._gripper, output.closedness)

    def bring_to_rest(self, why: Incident) -> None:
        """Brake now if the arm moves and does not brake already."""
        self._incident = why
        try:
            if self._active and self._moves() and not self._core.status(self.now_s).stopping:
                self._arm.send(self._core.stop(self.now_s))
                self.get_logger().info(f'braking: {why.message}')
        except Exception as error:  # what was sent before still ends at rest
            self.get_logger().fatal(f'cannot brake: {type(error).__name__}: {error}')
        self._publish_status()

    def _moves(self) -> bool:
        """Whether the arm moves, because of this adapter or not."""
        try:
            moves = self._core.committed(self.now_s).dq[0].any()
            return self._core.status(self.now_s).moving or bool(moves)
        except CommandRejectedError:
            return False  # nothing is known of the arm, so nothing was sent

    def finish_at_rest(self) -> bool:
        """Brake, and return whether the arm is at rest; called until it is."""
        if not self._shutting_down:
            self._shutting_down = True
            self.bring_to_rest(Incident('INACTIVE', 'the adapter is shutting down'))
            self._arm.flush()
        return not self._core.status(self.now_s).moving

    def _forget_motion(self) -> None:
        """Start from where the arm is: in a dry run nobody follows what was planned."""
        self._core.reset()
        self._joints.again()

    def _reject(self, incident: Incident) -> None:
        self._incident = incident
        self._meters.rejected.tick()
        self.get_logger().error(
            f'plan {incident.plan_id} rejected, {incident.name}: {incident.message}',
            throttle_duration_sec=1.0,
        )

    def _fault(self) -> Incident:
        """Say why no plan could be executed now."""
        if self.failure:
            return Incident('INTERNAL', self.failure_text)
        verdict = self._core.status(self.now_s).verdict
        if verdict.reason not in (FINE, PLAN_OVERDUE):
            found = Incident(verdict.reason, verdict.message)
            return self._side.failed or self._joints.problem or found
        limit_s = max(1.0, self.parameters.core.joint_state_timeout_s)
        return self._meters.silence(limit_s) or self._side.problem

    def _publish_status(self) -> None:
        now_s = self.now_s
        state, fault = self._core.status(now_s), self._fault()
        try:
            committed = self._core.committed(now_s)
        except CommandRejectedError:
            committed = None  # nothing is known of the arm yet
        incident = self._incident or problem_of(self._gripper)
        last_id = self._intake.gate.last_plan_id
        report = Report(self._active, state, fault, incident, last_id, committed)
        self._status_publisher.publish(status_message(report, now_s, self.parameters.base_frame))
        self._published = int(state.moving) + int(state.stopping), fault.code
        self._next_status_s = self.steady_s() + 1.0 / self.parameters.status_rate_hz

    def _diagnose(self) -> Status:
        incident = self._incident if self._incident.plan_id else problem_of(self._gripper)
        values = self._meters.values() | self._arm.values()
        return health(self._fault(), incident, self._arm.writers, self._active, values)


def main(args: list[str] | None = None, kind: type[AdapterNode] = AdapterNode) -> int:
    """Run the adapter until it is stopped; the arm is brought to rest before it ends."""
    torch.set_num_threads(1)  # seven joints need no thread pool beside the planner's
    return run_node_with_shutdown(kind, AdapterNode.finish_at_rest, _SHUTDOWN_S, args)


if __name__ == '__main__':
    sys.exit(main())
