# SPDX-License-Identifier: Apache-2.0
"""What the robot's joint states say of its gripper."""

from __future__ import annotations

from sensor_msgs.msg import JointState

from vidplan.ros.conversions import closedness
from vidplan_core.geometry.robot import RobotModel


def gripper_closedness(robot: RobotModel, message: JointState) -> float:
    """Return how closed the gripper is, 0 open .. 1 closed; raises ObservationError."""
    gripper = robot.gripper
    return closedness(message, gripper.joints, gripper.open_position, gripper.closed_position)
