# SPDX-License-Identifier: Apache-2.0
"""Nodes around the planning server: a stitcher and an adapter that need no robot."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from std_srvs.srv import Trigger

from tests.fakes.fake_planner import VIEW, observation
from vidplan.ros import qos
from vidplan.ros.conversions import observation_message, pose_message, seconds
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.geometry.robot_files import default_robot
from vidplan_msgs.msg import AdapterStatus, Plan
from vidplan_msgs.msg import Observation as ObservationMessage

LAYOUT = default_layout().resized(VIEW[0], VIEW[1])


class FakeStitcher(Node):
    """Publishes observations at 30 Hz while `running`."""

    def __init__(self) -> None:
        super().__init__('fake_stitcher')
        self.running = True
        self.view = VIEW
        self.publisher = self.create_publisher(ObservationMessage, 'observation', qos.OBSERVATION)
        self.create_timer(1 / 30, self.publish)

    def publish(self) -> None:
        if not self.running:
            return
        seen = observation(self.get_clock().now().nanoseconds * 1e-9, view=self.view)
        layout = default_layout().resized(self.view[0], self.view[1])
        names = default_robot().joint_names
        self.publisher.publish(
            observation_message(seen, layout, names, 'base', [seen.stamp_s] * 3, 0.0)
        )


class FakeAdapter(Node):
    """Says that it executes the plans that come; brakes at once when asked."""

    def __init__(self) -> None:
        super().__init__('fake_adapter')
        self.plans: list[Plan] = []
        self.stops = 0
        self.running = True
        self.state_override: int | None = None
        self.error = (AdapterStatus.NONE, '')
        self.until_s = 0.0
        self.publisher = self.create_publisher(AdapterStatus, 'adapter/status', qos.LATCHED)
        self.create_subscription(Plan, 'plan', self.on_plan, qos.COMMAND)
        self.create_service(Trigger, 'adapter/stop', self.on_stop)
        self.create_timer(1 / 30, self.publish)

    @property
    def now_s(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9

    def on_plan(self, plan: Plan) -> None:
        self.plans.append(plan)
        frames = len(plan.poses) - 1
        self.until_s = seconds(plan.start_time) + frames * plan.frame_period_s
        self.publish()

    def on_stop(self, _: Any, response: Any) -> Any:
        self.stops += 1
        self.until_s = self.now_s
        self.publish()
        response.success = True
        return response

    def publish(self) -> None:
        if not self.running:
            return
        remaining_s = max(self.until_s - self.now_s, 0.0)
        moving = AdapterStatus.EXECUTING if remaining_s else AdapterStatus.HOLDING
        status = AdapterStatus(
            state=moving if self.state_override is None else self.state_override,
            error_code=self.error[0],
            error_msg=self.error[1],
            remaining_s=remaining_s,
            active_plan_id=self.plans[-1].plan_id if self.plans else 0,
            committed_times_s=[0.0],
            committed_poses=[pose_message((0.4, 0.0, 0.4), (1.0, 0.0, 0.0, 0.0))],
            committed_closedness=[0.0],
        )
        status.header.stamp = self.get_clock().now().to_msg()
        self.publisher.publish(status)
