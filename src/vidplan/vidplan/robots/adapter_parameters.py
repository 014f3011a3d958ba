# SPDX-License-Identifier: Apache-2.0
"""Parameters of the action adapter, and the core's configuration that they make."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import cast

from vidplan.robots.robot import RobotParameters
from vidplan.ros.parameters import parameter
from vidplan_core.control.adapter_types import AdapterConfig
from vidplan_core.control.gripper_schedule import BINARY, POSITION, GripperRule
from vidplan_core.control.safety import SafetyConfig
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.robot import GRIPPER_INTERFACES, GripperModel
from vidplan_core.geometry.workspace import COMMAND_BOX, FLANGE_BOX, Point, WorkspaceBox

# The value of gripper_backend that leaves it to the robot's file.
AS_ROBOT = 'robot'

_SAFETY = SafetyConfig()
_REACH_M = 1.2


@dataclass(frozen=True)
class AdapterParameters(RobotParameters):
    """Parameters of the adapter; all read-only, because a running robot must not be surprised."""

    autostart: bool = parameter(
        True, 'Configure and activate at the start, without a lifecycle manager.'
    )
    dry_run: bool = parameter(
        False, 'Check plans and report, but send nothing to the robot (for replay).'
    )
    stamp_trajectories: bool = parameter(
        True,
        'Stamp trajectories, so that they join exactly; needs the clocks of both machines within '
        '10 ms. False: a trajectory begins when it arrives.',
    )
    control_rate_hz: float = parameter(
        50.0, 'How often silence and the gripper are looked at, Hz.', low=10.0, high=500.0
    )
    status_rate_hz: float = parameter(
        20.0, 'Rate of adapter/status; changes are published at once, Hz.', low=1.0, high=100.0
    )
    joint_state_timeout_s: float = parameter(
        0.25,
        'Age of the newest joint state above which the arm is stopped, s.',
        low=0.01,
        high=2.0,
    )
    max_plan_age_s: float = parameter(
        _SAFETY.max_age_s,
        'Oldest observation that a plan may be made from, s.',
        low=0.05,
        high=30.0,
    )
    max_start_delay_s: float = parameter(
        _SAFETY.max_delay_s, 'How far ahead a plan may begin, s.', low=0.0, high=10.0
    )
    max_jump_m: float = parameter(
        _SAFETY.max_jump_m,
        'Largest distance from where the arm will be to where a plan begins, m.',
        low=0.001,
        high=0.2,
    )
    max_jump_rad: float = parameter(
        _SAFETY.max_jump_rad, 'The same for the orientation, rad.', low=0.01, high=1.0
    )
    max_tracking_error_rad: float = parameter(
        _SAFETY.max_joint_jump_rad,
        'Largest difference between a joint and where it was sent, rad.',
        low=0.01,
        high=1.0,
    )
    max_speed_m_s: float = parameter(
        _SAFETY.max_speed_m_s,
        'Fastest a plan may ask the flange to move, m/s.',
        low=0.01,
        high=2.0,
    )
    max_turn_rad_s: float = parameter(
        _SAFETY.max_turn_rad_s,
        'Fastest a plan may ask the flange to turn, rad/s.',
        low=0.05,
        high=2.5,
    )
    velocity_scale: float = parameter(
        1.0, 'Share of the planning velocity limits of the joints to use.', low=0.05, high=1.0
    )
    acceleration_scale: float = parameter(
        1.0, 'Share of the planning acceleration limits of the joints to use.', low=0.1, high=1.0
    )
    tool_box_lower_m: tuple[float, ...] = parameter(
        COMMAND_BOX.lower,
        'Lowest x, y, z of the tool centre point in the base frame, m.',
        length=3,
        low=-_REACH_M,
        high=_REACH_M,
    )
    tool_box_upper_m: tuple[float, ...] = parameter(
        COMMAND_BOX.upper,
        'Highest x, y, z of the tool centre point in the base frame, m.',
        length=3,
        low=-_REACH_M,
        high=_REACH_M,
    )
    flange_box_lower_m: tuple[float, ...] = parameter(
        FLANGE_BOX.lower,
        'Lowest x, y, z of the flange in the base frame, m.',
        length=3,
        low=-_REACH_M,
        high=_REACH_M,
    )
    flange_box_upper_m: tuple[float, ...] = parameter(
        FLANGE_BOX.upper,
        'Highest x, y, z of the flange in the base frame, m.',
        length=3,
        low=-_REACH_M,
        high=_REACH_M,
    )
    gripper_backend: str = parameter(
        AS_ROBOT,
        "How the gripper is commanded: as the robot's file says, std_msgs/Float64 on "
        'gripper/command, actions of the Franka Hand, action of a Robotiq controller, or not at '
        'all.',
        choices=(AS_ROBOT, *GRIPPER_INTERFACES),
    )
    gripper_action: str = parameter(
        '',
        'Name of the Franka Hand node, or of the Robotiq action '
        "(robotiq_gripper_controller/gripper_cmd); empty: as the robot's file says.",
    )
    gripper_mode: str = parameter(
        BINARY,
        'Open and close wholly, or follow the planned closedness.',
        choices=(BINARY, POSITION),
    )
    gripper_close_above: float = parameter(
        0.6,
        'Binary mode: an open gripper closes above this planned closedness.',
        low=0.0,
        high=1.0,
    )
    gripper_open_below: float = parameter(
        0.4,
        'Binary mode: a closed gripper opens below this planned closedness.',
        low=0.0,
        high=1.0,
    )
    gripper_speed_m_s: float = parameter(
        0.08, 'Speed of the Franka Hand, m/s.', low=0.005, high=0.2
    )
    gripper_force_n: float = parameter(20.0, 'Force of a grasp, N.', low=1.0, high=70.0)

    @property
    def gripper(self) -> GripperModel:
        """The robot's gripper, commanded as these parameters say; raises ConfigError."""
        gripper = self.model.gripper
        interface = gripper.interface if self.gripper_backend == AS_ROBOT else self.gripper_backend
        action = self.gripper_action or gripper.action
        return dataclasses.replace(gripper, interface=interface, action=action)


def adapter_config(parameters: AdapterParameters) -> AdapterConfig:
    """Return the core's configuration; raises ConfigError for values that contradict others."""
    p = parameters
    safety = SafetyConfig(
        tool_box=_box('tool_box', p.tool_box_lower_m, p.tool_box_upper_m),
        flange_box=_box('flange_box', p.flange_box_lower_m, p.flange_box_upper_m),
        max_age_s=p.max_plan_age_s,
        max_delay_s=p.max_start_delay_s,
        max_jump_m=p.max_jump_m,
        max_jump_rad=p.max_jump_rad,
        max_joint_jump_rad=p.max_tracking_error_rad,
        max_speed_m_s=p.max_speed_m_s,
        max_turn_rad_s=p.max_turn_rad_s,
    )
    rule = GripperRule(p.gripper_mode, p.gripper_close_above, p.gripper_open_below)
    return AdapterConfig(
        robot=p.model.slowed(p.velocity_scale, p.acceleration_scale),
        safety=safety,
        gripper=rule,
        joint_state_timeout_s=p.joint_state_timeout_s,
    )


def _box(name: str, lower: tuple[float, ...], upper: tuple[float, ...]) -> WorkspaceBox:
    try:
        return WorkspaceBox(cast(Point, lower), cast(Point, upper))
    except ValueError as error:
        raise ConfigError(f'parameters {name}_lower_m and {name}_upper_m: {error}') from error
