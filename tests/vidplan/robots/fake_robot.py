# SPDX-License-Identifier: Apache-2.0
"""Publishers that speak like the cameras, the arm and the gripper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image, JointState

from vidplan.ros import qos
from vidplan.ros.images import to_image
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import default_robot

HOME = (0.0, -0.785, 0.0, -2.356, 0.0, 1.571, 0.785)
COLOURS = {
    'left': (255, 0, 0), 'right': (0, 255, 0), 'wrist': (0, 0, 255), 'top': (255, 255, 0)
}  # fmt: skip
VIEWS = default_layout().views
BLACK = 4  # columns on the left of every image


class FakeRobot:
    """Publishes on demand, stamped with the clock of the node."""

    def __init__(
        self,
        node: Any,
        views: Sequence[str] = VIEWS,
        model: RobotModel | None = None,
    ) -> None:
        self.node = node
        self.model = model or default_robot()
        self.cameras = {
            view: node.create_publisher(Image, f'{view}/image_raw', qos.SENSOR) for view in views
        }
        self.joints = node.create_publisher(JointState, 'joint_states', 10)
        self.gripper = node.create_publisher(JointState, 'gripper/joint_states', 10)

    @property
    def publishers(self) -> list[Any]:
        return [*self.cameras.values(), self.joints, self.gripper]

    def now(self) -> Time:
        return self.node.get_clock().now().to_msg()

    def publish_image(self, view: str, stamp: Time | None = None, **changes: object) -> None:
        pixels = np.full((12, 20, 3), COLOURS[view], np.uint8)
        pixels[:, :BLACK] = 0
        message = to_image(pixels, stamp or self.now(), f'{view}_optical_frame')
        for name, value in changes.items():
            setattr(message, name, value)
        self.cameras[view].publish(message)

    def publish_joints(
        self, q: Any = HOME, dq: Any = (0.0,) * 7, names: Any = None, stamp: Time | None = None
    ) -> None:
        message = JointState(
            name=list(names or self.model.joint_names), position=list(q), velocity=list(dq)
        )
        message.header.stamp = stamp or self.now()
        self.joints.publish(message)

    def publish_gripper(self, closedness: float = 0.25) -> None:
        gripper = self.model.gripper
        travel = gripper.closed_position - gripper.open_position
        position = gripper.open_position + closedness * travel
        message = JointState(
            name=list(gripper.joints), position=[position] * len(gripper.joints)
        )
        message.header.stamp = self.now()
        self.gripper.publish(message)

    def publish_all(
        self, views: Any = VIEWS, stamp: Time | None = None, **joints: Any
    ) -> None:
        stamp = stamp or self.now()
        self.publish_joints(stamp=stamp, **joints)
        self.publish_gripper()
        for view in views:
            self.publish_image(view, stamp)
