# SPDX-License-Identifier: Apache-2.0
"""Parameters of the node `adapter`, and the core's configuration that they make."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import cast

from vidplan.parameters.robot import PaceParameters, RobotParameters
from vidplan_core.control.config import AdapterConfig
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.robot import (
    ARM_INTERFACES,
    FRANKA_HAND,
    GRIPPER_INTERFACES,
    GripperModel,
)
from vidplan_core.geometry.workspace import COMMAND_BOX, FLANGE_BOX, Point, WorkspaceBox
from vidplan_core.knobs import knob, knob_group

# The value of gripper_backend and arm_backend that leaves it to the robot's file.
AS_ROBOT = 'robot'

# Ways to command the arm.
TOPIC, ACTION, CRISP, FCI = ARM_INTERFACES

# Lists of ROS parameters have no type while they are empty.
_NO_BOX = (-1.0, -1.0, -1.0, 1.0, 1.0, -0.5)

_CORNER = {'unit': 'm', 'length': 3, 'low': -1.2, 'high': 1.2}


@dataclass(frozen=True)
class AdapterParameters(RobotParameters):
    """Parameters of the adapter; all read-only, because a running robot must not be surprised."""

    autostart: bool = knob(
        True,
        'configure and activate at the start, without a lifecycle manager',
        section='How it runs.',
    )
    dry_run: bool = knob(
        False, 'check plans and report, but send nothing to the robot (for replay)'
    )
    stamp_trajectories: bool = knob(
        True,
        'stamp trajectories, so that they join exactly; needs the clocks of planning and control '
        'machine within 10 ms (chrony); false: a trajectory begins when it arrives',
    )
    control_rate_hz: float = knob(
        50.0, 'how often silence and the gripper are looked at', unit='Hz', low=10.0, high=500.0
    )
    status_rate_hz: float = knob(
        20.0, 'of adapter/status; changes are published at once', unit='Hz', low=1.0, high=100.0
    )
    pace: PaceParameters = knob_group(PaceParameters, prefix='')
    arm_backend: str = knob(
        AS_ROBOT,
        "robot: as the robot's file says; topic: the joint trajectory controller's topic, which "
        'answers nothing; action: its FollowJointTrajectory, which says what it refused or gave '
        "up (needs control_msgs); crisp: joint targets of a CRISP controller; fci: the node fci, "
        'without ros2_control',
        choices=(AS_ROBOT, *ARM_INTERFACES),
        section='Controller and robot.',
    )
    arm_action: str = knob(
        'fr3_arm_controller/follow_joint_trajectory', 'the action, where that is the backend'
    )
    target_topic: str = knob('target_joint', 'of joint targets, where crisp is the backend')
    target_rate_hz: float = knob(
        100.0, 'of joint targets while the arm moves', unit='Hz', low=20.0, high=500.0
    )
    watch_robot_state: bool = knob(
        False,
        'stop at reflexes, errors, stops by hand and silence of '
        'franka_robot_state_broadcaster/robot_state, and offer adapter/recover (needs franka_msgs '
        'and controller_manager_msgs); true on a real Franka',
    )
    stop_on_contact: bool = knob(
        False, 'stop at a contact that the robot feels, not only at a collision'
    )
    automatic_recovery: bool = knob(
        False, 'recover from reflexes without being asked, recovery_tries times in all'
    )
    recovery_tries: int = knob(3, 'attempts of a recovery until it has failed', low=1, high=10)
    hardware_component: str = knob(
        'FrankaHardwareInterface', 'of ros2_control that a recovery activates again'
    )
    arm_controllers: str = knob(
        'joint_state_broadcaster, franka_robot_state_broadcaster, fr3_arm_controller',
        'that a recovery activates again, with commas between them',
    )
    tool_box_lower_m: tuple[float, ...] = knob(
        COMMAND_BOX.lower,
        'x, y, z of the tool centre point',
        section='Where motion is allowed, base frame; the table top is at z = 0.',
        **_CORNER,
    )
    tool_box_upper_m: tuple[float, ...] = knob(
        COMMAND_BOX.upper, 'x, y, z of the tool centre point', **_CORNER
    )
    flange_box_lower_m: tuple[float, ...] = knob(
        FLANGE_BOX.lower, 'x, y, z of the flange: a tilted hand above the table', **_CORNER
    )
    flange_box_upper_m: tuple[float, ...] = knob(
        FLANGE_BOX.upper, 'x, y, z of the flange', **_CORNER
    )
    obstacle_boxes_m: tuple[float, ...] = knob(
        _NO_BOX,
        'boxes that no link may come near: six numbers each, lower x, y, z and upper x, y, z; one '
        'wholly below the table counts for nothing, the table is in the way',
        unit='m',
        low=-3.0,
        high=3.0,
    )
    gripper_backend: str = knob(
        AS_ROBOT,
        "robot: as the robot's file says; topic: std_msgs/Float64 on gripper/command (always in "
        'the cell); franka_hand: the actions of franka_gripper; robotiq: a parallel gripper '
        'action; fci: a Franka Hand through the node fci, which is meant by franka_hand, too, '
        'where that node commands the arm',
        choices=(AS_ROBOT, *GRIPPER_INTERFACES),
        section='Gripper.',
    )
    gripper_action: str = knob(
        '',
        'node of the Franka Hand, or action of a Robotiq '
        "(robotiq_gripper_controller/gripper_cmd); '': as the robot's file says",
    )
    gripper_speed_m_s: float = knob(0.08, 'of the Franka Hand', unit='m/s', low=0.005, high=0.2)
    gripper_force_n: float = knob(20.0, 'of a grasp', unit='N', low=1.0, high=70.0)
    core: AdapterConfig = knob_group(AdapterConfig, prefix='')

    @property
    def arm(self) -> str:
        """How the arm is commanded, one of ARM_INTERFACES."""
        return self.model.arm if self.arm_backend == AS_ROBOT else self.arm_backend

    @property
    def gripper(self) -> GripperModel:
        """The robot's gripper, commanded as these parameters say; raises ConfigError."""
        gripper = self.model.gripper
        interface = gripper.interface if self.gripper_backend == AS_ROBOT else self.gripper_backend
        if interface == FRANKA_HAND and self.arm == FCI:
            interface = FCI  # the hand's own driver is not there
        action = self.gripper_action or gripper.action
        return dataclasses.replace(gripper, interface=interface, action=action)


def adapter_config(parameters: AdapterParameters) -> AdapterConfig:
    """Return the core's configuration; raises ConfigError for values that contradict others."""
    p = parameters
    safety = dataclasses.replace(
        p.core.safety,
        tool_box=_box('tool_box', p.tool_box_lower_m, p.tool_box_upper_m),
        flange_box=_box('flange_box', p.flange_box_lower_m, p.flange_box_upper_m),
        boxes=_boxes(p.obstacle_boxes_m),
    )
    return dataclasses.replace(p.core, robot=p.pace.slow(p.model), safety=safety)


def _boxes(numbers: tuple[float, ...]) -> tuple[WorkspaceBox, ...]:
    if len(numbers) % 6:
        raise ConfigError(
            f'obstacle_boxes_m needs six numbers for each box, got {len(numbers)} numbers'
        )
    rows = [numbers[start : start + 6] for start in range(0, len(numbers), 6)]
    boxes = (_box('obstacle_boxes_m: box', row[:3], row[3:]) for row in rows)
    return tuple(box for box in boxes if box.upper[2] > 0)


def _box(name: str, lower: tuple[float, ...], upper: tuple[float, ...]) -> WorkspaceBox:
    try:
        return WorkspaceBox(cast(Point, lower), cast(Point, upper))
    except ValueError as error:
        raise ConfigError(f'{name}_lower_m and {name}_upper_m: {error}') from error
