# SPDX-License-Identifier: Apache-2.0
"""Messages to the core's arrays and back. Stamps are floats of seconds inside the core."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Pose
from numpy.typing import ArrayLike, NDArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vidplan.ros.images import image_to_rgb, to_image
from vidplan_core.control.commands import PlanCommand, TrajectoryCommand
from vidplan_core.data.observation import Observation
from vidplan_core.data.readings import closedness as closedness
from vidplan_core.data.readings import joint_values as joint_values
from vidplan_core.data.readings import pose_arrays, seconds
from vidplan_core.errors import ObservationError
from vidplan_core.geometry.camera_layout import CameraLayout
from vidplan_msgs.msg import Observation as ObservationMessage
from vidplan_msgs.msg import Plan

Vector = NDArray[np.float64]

_NANOSECONDS = 1_000_000_000


def stamp(time_s: float) -> Time:
    """Return seconds as a stamp, to the nearest nanosecond; raises ValueError below zero."""
    sec, nanosec = _split(time_s)
    if sec < 0:
        raise ValueError(f'a stamp cannot be negative, got {time_s} s')
    return Time(sec=sec, nanosec=nanosec)


def duration(time_s: float) -> Duration:
    """Return seconds as a duration, to the nearest nanosecond."""
    sec, nanosec = _split(time_s)
    return Duration(sec=sec, nanosec=nanosec)


def _split(time_s: float) -> tuple[int, int]:
    return divmod(round(time_s * _NANOSECONDS), _NANOSECONDS)


def pose_message(position: ArrayLike, quaternion: ArrayLike) -> Pose:
    """Return a Pose of a position (3,) in m and a quaternion (4,) xyzw."""
    pose = Pose()
    p, q = pose.position, pose.orientation
    p.x, p.y, p.z = np.asarray(position, np.float64).tolist()
    q.x, q.y, q.z, q.w = np.asarray(quaternion, np.float64).tolist()
    return pose


def observation_message(
    observation: Observation,
    layout: CameraLayout,
    joint_names: Sequence[str],
    frame_id: str,
    view_stamps_s: Sequence[float],
    skew_s: float,
) -> ObservationMessage:
    """Return the message of an observation in the robot base frame `frame_id`."""
    message = ObservationMessage()
    message.header.stamp = stamp(observation.stamp_s)
    message.header.frame_id = frame_id
    message.image = to_image(observation.image, message.header.stamp, frame_id)
    message.views = list(layout.views)
    message.view_height, message.view_width = layout.height, layout.width
    message.view_stamps = [stamp(view_s) for view_s in view_stamps_s]
    message.skew_s = skew_s
    message.joint_names = list(joint_names)
    message.joint_positions = observation.q.tolist()
    message.joint_velocities = observation.dq.tolist()
    message.gripper_closedness = observation.closedness
    message.flange_pose = pose_message(observation.position, observation.quaternion)
    return message


def observation_from_message(message: ObservationMessage, layout: CameraLayout) -> Observation:
    """Return the core's observation.

    Raises:
        ObservationError: the views or their size are not those of `layout`, or a number is
            missing or not finite.
    """
    image = image_to_rgb(message.image)
    views = tuple(message.views)
    if views != layout.views or image.shape != layout.shape:
        raise ObservationError(
            f'observation of views {views} with shape {image.shape}; expected {layout.views} '
            f'with shape {layout.shape}'
        )
    positions, quaternions = pose_arrays([message.flange_pose])
    return Observation(
        stamp_s=seconds(message.header.stamp),
        image=image,
        q=np.array(message.joint_positions),
        dq=np.array(message.joint_velocities),
        closedness=message.gripper_closedness,
        position=positions[0],
        quaternion=quaternions[0],
    )


def plan_command(message: Plan) -> PlanCommand:
    """Return the core's plan, unchecked: as many poses and numbers as the message has."""
    positions, quaternions = pose_arrays(message.poses)
    return PlanCommand(
        plan_id=message.plan_id,
        stamp_s=seconds(message.observation_stamp),
        start_s=seconds(message.start_time),
        period_s=message.frame_period_s,
        positions=positions,
        quaternions=quaternions,
        closedness=np.array(message.closedness, np.float64),
    )


def trajectory_message(command: TrajectoryCommand, *, stamped: bool) -> JointTrajectory:
    """Return the message of a trajectory; it starts at its stamp, or when it arrives."""
    message = JointTrajectory(joint_names=list(command.joint_names))
    if stamped:
        message.header.stamp = stamp(command.stamp_s)
    message.points = [
        JointTrajectoryPoint(
            positions=point.q.tolist(),
            velocities=point.dq.tolist(),
            accelerations=point.ddq.tolist(),
            time_from_start=duration(point.time_from_start_s),
        )
        for point in command.points
    ]
    return message
