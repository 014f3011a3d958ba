# SPDX-License-Identifier: Apache-2.0
"""An arm that follows trajectories as the real controller does, without physics."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64
from trajectory_msgs.msg import JointTrajectory

from tests.vidplan.robots.fake_robot import HOME
from vidplan_core.data.readings import seconds
from vidplan_core.geometry.robot_files import default_robot
from vidplan_sim.arm.trajectory_controller import Point, Trajectory, TrajectoryController


class FakeArm(Node):
    """Publishes joint states at 100 Hz while `speaking`; keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__('fake_arm')
        self.controller = TrajectoryController(default_robot().joint_names)
        self.controller.hold(np.array(HOME), 0.0)
        self.speaking = True
        self.broken_joint = False
        self.offset_rad = 0.0
        self.trajectories: list[JointTrajectory] = []
        self.gripper: list[float] = []
        self.publisher = self.create_publisher(JointState, 'joint_states', 10)
        self.create_subscription(
            JointTrajectory, 'fr3_arm_controller/joint_trajectory', self.on_trajectory, 1
        )
        self.create_subscription(
            Float64, 'gripper/command', lambda message: self.gripper.append(message.data), 1
        )
        self.create_timer(0.01, self.publish)

    @property
    def now_s(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9

    @property
    def state(self) -> tuple[np.ndarray, np.ndarray]:
        return self.controller.sample(self.now_s)

    def on_trajectory(self, message: JointTrajectory) -> None:
        self.trajectories.append(message)
        points = [
            Point(
                list(point.positions),
                list(point.velocities) or None,
                list(point.accelerations) or None,
                seconds(point.time_from_start),
            )
            for point in message.points
        ]
        trajectory = Trajectory(message.joint_names, points, seconds(message.header.stamp))
        self.controller.accept(trajectory, self.now_s, *self.state)

    def publish(self) -> None:
        if not self.speaking:
            return
        q, dq = self.state
        q = q + self.offset_rad
        names = default_robot().joint_names
        message = JointState(name=list(names), position=list(q), velocity=list(dq))
        if self.broken_joint:
            message.position[3] = float('nan')
        message.header.stamp = self.get_clock().now().to_msg()
        self.publisher.publish(message)
