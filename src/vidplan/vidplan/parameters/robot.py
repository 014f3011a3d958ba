# SPDX-License-Identifier: Apache-2.0
"""Parameters of the nodes beside the robot: which robot it is, and its base frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import DEFAULT_ROBOT, load_robot
from vidplan_core.knobs import check_knobs, knob


@dataclass(frozen=True)
class RobotParameters:
    """Parameters that the stitcher and the adapter share."""

    robot: str = knob(
        DEFAULT_ROBOT,
        'from which come joint names, limits, tool and gripper: a file of config/robots '
        '(fr3_hand, fr3_robotiq, fer_hand), or the path of another',
        section='The robot; the same for the stitcher and the adapter.',
    )
    joint_prefix: str = knob('', "before every joint name: left makes left_fr3_joint1; '': none")
    base_frame: str = knob('base', 'robot base frame, the frame of all flange poses')

    def __post_init__(self) -> None:
        check_knobs(self)
        _ = self.model  # so that a bad file ends the start, and not the first message

    @cached_property
    def model(self) -> RobotModel:
        """The robot; raises ConfigError when its file is missing or wrong."""
        return load_robot(self.robot, self.joint_prefix)
