# SPDX-License-Identifier: Apache-2.0
"""Three cameras and a hand beside the simulated arm; what they show means nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState

from vidplan.ros import qos
from vidplan.ros.images import to_image
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.geometry.robot_files import default_robot

_PERIOD_S = 1.0 / 15.0


class SimulatedCameras(Node):
    """Publishes pictures of every view, and an open hand, at 15 Hz.

    Attributes:
        change: changes a picture of a view before it is sent; None for silence.
        change_hand: the same of the hand's joint states.
    """

    def __init__(self, namespace: str) -> None:
        super().__init__(
            'simulated_cameras', namespace=namespace, start_parameter_services=False
        )
        self._layout, self._hand = default_layout(), default_robot().gripper
        random = np.random.default_rng(0)
        shape = self._layout.height, self._layout.width, 3
        self._pictures = {
            view: random.integers(0, 256, shape, np.uint8) for view in self._layout.views
        }
        self._views = {
            view: self.create_publisher(Image, f'{view}/image_raw', qos.SENSOR)
            for view in self._layout.views
        }
        self._fingers = self.create_publisher(JointState, 'gripper/joint_states', qos.STATES)
        self.tell_truth()
        self.create_timer(_PERIOD_S, self._publish)

    def tell_truth(self) -> None:
        """Change nothing any more."""
        self.change: Callable[[str, Image], Image | None] = lambda view, message: message
        self.change_hand: Callable[[JointState], JointState | None] = lambda message: message

    def _publish(self) -> None:
        now = self.get_clock().now().to_msg()
        hand, count = self._hand, len(self._hand.joints)
        fingers = JointState(name=list(hand.joints), position=[hand.open_position] * count)
        fingers.header.stamp = now
        if (said := self.change_hand(fingers)) is not None:
            self._fingers.publish(said)
        for view, pixels in self._pictures.items():
            picture = self.change(view, to_image(pixels, now, f'{view}_optical_frame'))
            if picture is not None:
                self._views[view].publish(picture)
