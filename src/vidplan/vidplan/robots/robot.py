# SPDX-License-Identifier: Apache-2.0
"""What the nodes beside the robot must know about it: which one it is, and its base frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sensor_msgs.msg import JointState

from vidplan.ros.conversions import closedness
from vidplan.ros.parameters import parameter
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import DEFAULT_ROBOT, load_robot


@dataclass(frozen=True)
class RobotParameters:
    """Parameters that the stitcher and the adapter share."""

    robot: str = parameter(
        DEFAULT_ROBOT,
        'Robot, from which come joint names, limits, tool and gripper: a file of config/robots '
        '(fr3_hand, fr3_robotiq, fer_hand), or the path of another.',
    )
    joint_prefix: str = parameter(
        '', "Before every joint name: 'left' makes left_fr3_joint1; empty for none."
    )
    base_frame: str = parameter('base', 'Robot base frame, the frame of all flange poses.')

    def __post_init__(self) -> None:
        _ = self.model  # so that a bad file ends the start, and not the first message

    @cached_property
    def model(self) -> RobotModel:
        """The robot; raises ConfigError when its file is missing or wrong."""
        return load_robot(self.robot, self.joint_prefix)

    def closedness(self, message: JointState) -> float:
        """Return how closed the gripper is, 0 open .. 1 closed; raises ObservationError."""
        gripper = self.model.gripper
        return closedness(message, gripper.joints, gripper.open_position, gripper.closed_position)
