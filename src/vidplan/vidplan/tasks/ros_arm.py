# SPDX-License-Identifier: Apache-2.0
"""The action adapter as a task sees it, over ROS: plans out, status in, stop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from std_srvs.srv import Trigger

from vidplan.ros import qos
from vidplan.ros.conversions import pose_message, seconds, stamp
from vidplan.tasks.arm import ArmReport, ArmStatus
from vidplan.tasks.observation_feed import WakeEvent
from vidplan_core.planner.motion.committed import motion_of_status
from vidplan_msgs.msg import AdapterStatus, Plan

if TYPE_CHECKING:
    from vidplan_core.planner.plans.result import PlanResult

_MOVING = (AdapterStatus.EXECUTING, AdapterStatus.STOPPING)
_STATES = ('IDLE', 'EXECUTING', 'HOLDING', 'STOPPING', 'FAULT', 'NONE')
_ERROR_NAMES = {
    getattr(AdapterStatus, name): name
    for name in dir(type(AdapterStatus))
    if name[0].isupper() and name not in _STATES
}


class RosArm(ArmStatus):
    """Publishes `plan`, listens to `adapter/status`, calls `adapter/stop`."""

    def __init__(
        self,
        node: Node,
        wake: WakeEvent,
        *,
        base_frame: str,
        frame_period_s: float,
        max_silence_s: float,
    ) -> None:
        super().__init__(max_silence_s)
        self._node = node
        self._wake = wake
        self._base_frame = base_frame
        self._frame_period_s = frame_period_s
        # Above every id of a planner that ran before: the adapter refuses plans out of order.
        self._last_id = time.time_ns() // 1_000_000
        # Of its own, so that nothing else that the node does can delay it.
        group = MutuallyExclusiveCallbackGroup()
        self._publisher = node.create_publisher(Plan, 'plan', qos.COMMAND)
        self._subscription = node.create_subscription(
            AdapterStatus, 'adapter/status', self._on_status, qos.LATCHED, callback_group=group
        )
        self._stop = node.create_client(Trigger, 'adapter/stop', callback_group=group)

    def send(self, plan: PlanResult, observation_s: float, start_s: float) -> int:
        """Publish the chunk of a plan; return the plan's id."""
        self._last_id += 1
        self._publisher.publish(self._message(plan, observation_s, start_s))
        return self._last_id

    def stop(self) -> None:
        """Ask the adapter to brake; returns at once."""
        if not self._stop.service_is_ready():
            self._node.get_logger().error(
                f'{self._stop.srv_name} does not answer; trajectories end at rest by themselves',
                throttle_duration_sec=2.0,
            )
            return
        self._stop.call_async(Trigger.Request())

    def destroy(self) -> None:
        """Take the interfaces away."""
        self._node.destroy_subscription(self._subscription)
        self._node.destroy_publisher(self._publisher)
        self._node.destroy_client(self._stop)

    def _message(self, plan: PlanResult, observation_s: float, start_s: float) -> Plan:
        message = Plan()
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.header.frame_id = self._base_frame
        message.plan_id = self._last_id
        message.cycle = plan.cycle + 1
        message.observation_stamp = stamp(observation_s)
        message.start_time = stamp(start_s)
        message.frame_period_s = self._frame_period_s
        positions = plan.chunk.position[0].double().cpu().numpy()
        quaternions = plan.chunk.quaternion[0].double().cpu().numpy()
        message.poses = [pose_message(*pose) for pose in zip(positions, quaternions, strict=True)]
        message.closedness = plan.chunk.closedness[0].tolist()
        message.candidate_scores = [float(score) for score in plan.scores]
        message.best_candidate = int(plan.best)
        message.score = float(plan.score)
        return message

    def _on_status(self, message: AdapterStatus) -> None:
        self.update(arm_report(message))
        self._wake.set()


def arm_report(message: AdapterStatus) -> ArmReport:
    """Return what a task needs of a status that arrives now."""
    name = _ERROR_NAMES.get(message.error_code, str(message.error_code))
    problem = f'{name}: {message.error_msg}'
    now_s = seconds(message.header.stamp)
    return ArmReport(
        at_rest=message.state not in _MOVING and message.remaining_s <= 0.0,
        fault=f'the action adapter reports {problem}'
        if message.state == AdapterStatus.FAULT
        else '',
        refusal=problem if message.rejected_plan_id else '',
        active_plan_id=message.active_plan_id,
        rejected_plan_id=message.rejected_plan_id,
        committed=motion_of_status(message),
        rests_at_s=now_s + message.remaining_s,
        heard_s=time.monotonic(),
        time_ratio=message.time_ratio,
    )
