# SPDX-License-Identifier: Apache-2.0
"""Publishes what a camera sees while an arm with a tag goes from pose to pose, again and again."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, JointState

from tests.vidplan.cli.calibrate.test_calibrate import LENS, drawn, poses
from vidplan.ros import qos
from vidplan.ros.images import to_image
from vidplan_core.geometry.robot_files import default_robot
from vidplan_sim.ros.room import make_room_for_images

# Pictures a second, and in each pose.
RATE_HZ, PICTURES = 20.0, 14


class TaggedArm(Node):
    """Speaks as a driver of the camera and one of the arm do, or otherwise."""

    def __init__(self, count: int, encoding: str, prefix: str) -> None:
        super().__init__('tagged_arm', start_parameter_services=False)
        self._encoding = encoding
        self._names = [prefix + name for name in default_robot().joint_names]
        looks = [(q, to_image(drawn(q))) for q in poses(count)]
        self._looks = itertools.cycle(look for look in looks for _ in range(PICTURES))
        kind = type(looks[0][1])
        self._camera = self.create_publisher(kind, 'left/image_raw', qos.SENSOR)
        self._info = self.create_publisher(CameraInfo, 'left/camera_info', qos.SENSOR)
        self._joints = self.create_publisher(JointState, 'joint_states', qos.STATES)
        self.create_timer(1.0 / RATE_HZ, self._publish)

    def _publish(self) -> None:
        q, picture = next(self._looks)
        now = self.get_clock().now().to_msg()
        state = JointState(name=self._names, position=q.tolist(), velocity=[0.0] * 7)
        info = CameraInfo(width=640, height=480, distortion_model='plumb_bob', d=[0.0] * 5)
        info.k = np.ravel(LENS.matrix).tolist()
        for message in (state, info, picture):
            message.header.stamp = now
        picture.encoding = self._encoding
        self._joints.publish(state)
        self._info.publish(info)
        self._camera.publish(picture)


if __name__ == '__main__':
    make_room_for_images()
    rclpy.init()
    arm = TaggedArm(int(sys.argv[1]), *sys.argv[2:4])
    print('ready', flush=True)
    rclpy.spin(arm)
