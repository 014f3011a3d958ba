# SPDX-License-Identifier: Apache-2.0
"""The cell's state as the messages that a robot and its cameras would send."""

from __future__ import annotations

import array
from collections.abc import Mapping, Sequence

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose
from sensor_msgs.msg import CameraInfo, Image, JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vidplan_msgs.msg import Truth
from vidplan_sim.arm.trajectory_controller import Point
from vidplan_sim.render.cameras import intrinsics

_NANOSECONDS = 1_000_000_000


def to_stamp(time_s: float) -> Time:
    """Return seconds (at least 0) as a stamp."""
    sec, nanosec = divmod(round(time_s * _NANOSECONDS), _NANOSECONDS)
    return Time(sec=sec, nanosec=nanosec)


def to_seconds(stamp: Time) -> float:
    """Return a stamp as seconds."""
    return stamp.sec + stamp.nanosec / _NANOSECONDS


def joint_state(
    stamp: Time,
    names: Sequence[str],
    positions: np.ndarray,
    velocities: np.ndarray | None = None,
) -> JointState:
    """Return a joint state in rad or m, and per second."""
    message = JointState(name=list(names), position=positions.tolist())
    message.header.stamp = stamp
    if velocities is not None:
        message.velocity = velocities.tolist()
    return message


def image(stamp: Time, frame_id: str, pixels: np.ndarray) -> Image:
    """Return uint8 rgb pixels (height, width, 3) as an rgb8 image."""
    height, width, _ = pixels.shape
    message = Image(height=height, width=width, encoding='rgb8', step=3 * width)
    message.header.stamp, message.header.frame_id = stamp, frame_id
    # Bytes would be checked one by one; an array is taken as it is.
    message.data = array.array('B', pixels.tobytes())
    return message


def camera_info(view: str, frame_id: str, height: int, width: int) -> CameraInfo:
    """Return the lens of a view: a pinhole without distortion. The stamp is still to be set."""
    matrix = intrinsics(view, height, width)
    message = CameraInfo(height=height, width=width, distortion_model='plumb_bob')
    message.header.frame_id = frame_id
    message.d = [0.0] * 5
    message.k = matrix.reshape(-1).tolist()
    message.r = np.eye(3).reshape(-1).tolist()
    message.p = np.hstack([matrix, np.zeros((3, 1))]).reshape(-1).tolist()
    return message


def truth(
    stamp: Time,
    frame_id: str,
    objects: Mapping[str, np.ndarray],
    tcp: np.ndarray,
    tcp_speed: float,
    seed: int,
) -> Truth:
    """Return where things really are: centres (3,) in m by name, and the tool centre point."""
    message = Truth(names=list(objects), tcp_speed=tcp_speed, seed=seed)
    message.header.stamp, message.header.frame_id = stamp, frame_id
    for centre in objects.values():
        pose = Pose()
        pose.position.x, pose.position.y, pose.position.z = centre.tolist()
        message.poses.append(pose)
    message.tcp.x, message.tcp.y, message.tcp.z = tcp.tolist()
    return message


def trajectory_points(message: JointTrajectory) -> list[Point]:
    """Return the way points of a trajectory message, as they are."""
    return [_point(point) for point in message.points]


def _point(point: JointTrajectoryPoint) -> Point:
    after = point.time_from_start
    return Point(
        positions=list(point.positions),
        velocities=list(point.velocities) or None,
        accelerations=list(point.accelerations) or None,
        time_from_start_s=after.sec + after.nanosec / _NANOSECONDS,
    )
