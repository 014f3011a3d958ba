# SPDX-License-Identifier: Apache-2.0
"""Where arm, hand and cameras are, for viewers: `robot_description`, and TF where ROS has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from scipy.spatial.transform import Rotation
from std_msgs.msg import String

from vidplan_sim.render.description import Frame, cell_frames, urdf

_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class FramePublisher:
    """Tells once how the cell is built, and then where its moving frames are.

    The wheels of ROS have no tf2_msgs: with them there is no TF, and viewers make it of the
    description and the joint states (Foxglove) or by robot_state_publisher (RViz).
    """

    def __init__(self, node: Node) -> None:
        """Publish the description and the fixed frames."""
        frames = cell_frames()
        self._moving = [frame for frame in frames if frame.joint is not None]
        self._description = node.create_publisher(String, 'robot_description', _LATCHED)
        self._description.publish(String(data=urdf(frames)))
        self._kind = _tf_message()
        if self._kind is None:
            return
        self._publisher = node.create_publisher(self._kind, '/tf', 100)
        fixed = [frame for frame in frames if frame.parent and frame.joint is None]
        self._fixed = node.create_publisher(self._kind, '/tf_static', _LATCHED)
        self._fixed.publish(self._message(fixed, {}, Time()))

    def publish(self, stamp: Time, positions: Mapping[str, float]) -> None:
        """Tell where the moving frames are for joint positions by name, rad or m."""
        if self._kind is not None:
            self._publisher.publish(self._message(self._moving, positions, stamp))

    def _message(self, frames: list[Frame], positions: Mapping[str, float], stamp: Time) -> Any:
        assert self._kind is not None
        return self._kind(transforms=[transform(frame, positions, stamp) for frame in frames])


def _tf_message() -> Any:
    try:
        from tf2_msgs.msg import TFMessage
    except ImportError:
        return None
    return TFMessage


def transform(frame: Frame, positions: Mapping[str, float], stamp: Time) -> TransformStamped:
    """Return where a frame is on its parent."""
    message = TransformStamped(child_frame_id=frame.name)
    message.header.stamp, message.header.frame_id = stamp, frame.parent
    place, rotation = frame.at(positions)
    to, turn = message.transform.translation, message.transform.rotation
    to.x, to.y, to.z = (float(value) for value in place)
    turn.x, turn.y, turn.z, turn.w = map(float, Rotation.from_matrix(rotation).as_quat())
    return message
