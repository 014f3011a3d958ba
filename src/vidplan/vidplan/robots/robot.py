# SPDX-License-Identifier: Apache-2.0
"""What the nodes beside the robot must know about it: names of joints and frames."""

from __future__ import annotations

from dataclasses import dataclass

from sensor_msgs.msg import JointState

from vidplan.ros.conversions import closedness
from vidplan.ros.parameters import parameter
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.limits import joint_names


@dataclass(frozen=True)
class RobotParameters:
    """Parameters that the stitcher and the adapter share."""

    joint_names: tuple[str, ...] = parameter(
        joint_names(), 'Arm joints from base to flange.', length=7
    )
    gripper_joints: tuple[str, ...] = parameter(
        ('fr3_finger_joint1', 'fr3_finger_joint2'), 'Joints of the gripper.'
    )
    gripper_open_position: float = parameter(
        0.04, 'Position of the gripper joints when open, m or rad.', low=-7.0, high=7.0
    )
    gripper_closed_position: float = parameter(
        0.0, 'Position of the gripper joints when closed, m or rad.', low=-7.0, high=7.0
    )
    base_frame: str = parameter('base', 'Robot base frame, the frame of all flange poses.')

    def __post_init__(self) -> None:
        if self.gripper_open_position == self.gripper_closed_position:
            raise ConfigError(
                'parameters gripper_open_position and gripper_closed_position must differ, '
                f'both are {self.gripper_open_position}'
            )

    def closedness(self, message: JointState) -> float:
        """Return how closed the gripper is, 0 open .. 1 closed; raises ObservationError."""
        return closedness(
            message,
            self.gripper_joints,
            self.gripper_open_position,
            self.gripper_closed_position,
        )
