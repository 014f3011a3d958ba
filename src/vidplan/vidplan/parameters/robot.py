# SPDX-License-Identifier: Apache-2.0
"""Parameters that nodes share: which robot it is, its base frame, and how fast it may be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import DEFAULT_ROBOT, load_robot
from vidplan_core.knobs import check_knobs, knob


@dataclass(frozen=True)
class PaceParameters:
    """How much of its planning limits a robot uses; the adapter obeys, the planner plans so."""

    velocity_scale: float = knob(
        1.0,
        "share of the joints' planning velocity limits; begin with 0.2; the same for world_model "
        'and adapter',
        low=0.05,
        high=1.0,
    )
    acceleration_scale: float = knob(
        1.0,
        "share of the joints' planning acceleration limits; the same for world_model and adapter",
        low=0.1,
        high=1.0,
    )

    def __post_init__(self) -> None:
        check_knobs(self)

    def slow(self, robot: RobotModel) -> RobotModel:
        """Return the robot at this pace."""
        return robot.slowed(self.velocity_scale, self.acceleration_scale)


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
