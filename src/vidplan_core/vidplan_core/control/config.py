# SPDX-License-Identifier: Apache-2.0
"""How plans become motion, and what is checked before a command reaches the robot."""

from __future__ import annotations

from dataclasses import dataclass, field

from vidplan_core.control.gripper_schedule import GripperRule
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.workspace import COMMAND_BOX, FLANGE_BOX, WorkspaceBox
from vidplan_core.knobs import check_knobs, knob, knob_group


@dataclass(frozen=True)
class SafetyConfig:
    """What a command may be.

    Attributes:
        tool_box: where the tool centre point may be.
        flange_box: where the flange may be.
        boxes: that stand around, where no link may be.
        max_frames: longest chunk; its joint angles are to be found within 20 ms.
        max_period_s: longest time between frames, s.
        sample_period_s: spacing at which a trajectory is checked between its points, s.
        link_period_s: the same for its links, which margins are there for, s.
    """

    max_plan_age_s: float = knob(
        1.5, 'oldest observation that a plan may be made from', unit='s', low=0.05, high=30.0
    )
    max_duration_s: float = knob(
        4.0, 'that a plan may last; nobody plans meanwhile', unit='s', low=0.2, high=30.0
    )
    max_start_delay_s: float = knob(
        2.0, 'how far ahead a plan may begin', unit='s', low=0.0, high=10.0
    )
    max_jump_m: float = knob(
        0.03,
        'from where the arm will be to where a plan begins',
        unit='m',
        low=0.001,
        high=0.2,
    )
    max_jump_rad: float = knob(0.2, 'the same for the orientation', unit='rad', low=0.01, high=1.0)
    max_tracking_error_rad: float = knob(
        0.15, 'between a joint and where it was sent', unit='rad', low=0.01, high=1.0
    )
    max_speed_m_s: float = knob(
        0.7, 'that a plan may ask of the flange', unit='m/s', low=0.01, high=2.0
    )
    max_turn_rad_s: float = knob(
        2.0, 'that a plan may ask of the flange', unit='rad/s', low=0.05, high=2.5
    )
    table_margin_m: float = knob(
        0.005, 'that links keep above the table', unit='m', low=0.0, high=0.2
    )
    box_margin_m: float = knob(
        0.02, 'that links and fingers keep from obstacle_boxes_m', unit='m', low=0.0, high=0.2
    )
    self_margin_m: float = knob(
        0.005, 'that links and fingers keep from each other', unit='m', low=0.0, high=0.2
    )
    fingertip_margin_m: float = knob(
        0.0, 'that fingertips keep above the table', unit='m', low=-0.02, high=0.2
    )
    boxes: tuple[WorkspaceBox, ...] = ()
    tool_box: WorkspaceBox = COMMAND_BOX
    flange_box: WorkspaceBox = FLANGE_BOX
    max_frames: int = 24
    max_period_s: float = 1.0
    sample_period_s: float = 0.01
    link_period_s: float = 0.025

    def __post_init__(self) -> None:
        check_knobs(self)


@dataclass(frozen=True)
class AdapterConfig:
    """How plans become motion.

    Attributes:
        robot: whose `limits` motions keep to and whose `hard_limits` nothing may break.
        safety: what is checked at the end.
        gripper: how planned closedness becomes commands.
        ik_tolerance: how far a joint solution may miss its pose before the plan is rejected,
            m and rad.
        elbow_rad_s: fastest drift of a joint towards home where the poses leave the elbow free,
            rad/s; it waits where it would cost time.
        committed_step_s: spacing of the committed motion that the planner sees, s.
    """

    joint_state_timeout_s: float = knob(
        0.25,
        'age of the newest joint state above which the arm is stopped',
        unit='s',
        low=0.01,
        high=2.0,
        section='What is refused. Each refusal is named in adapter/status and in the log.',
    )
    contact_error_rad: float = knob(
        0.02,
        'that a moving joint may fall behind: then the arm presses on something, and brakes',
        unit='rad',
        low=0.005,
        high=1.0,
    )
    safety: SafetyConfig = knob_group(SafetyConfig, prefix='')
    gripper: GripperRule = knob_group(GripperRule, prefix='gripper_')
    robot: RobotModel = field(default_factory=default_robot)
    ik_tolerance: tuple[float, float] = (0.01, 0.05)
    elbow_rad_s: float = 0.15
    committed_step_s: float = 0.05

    def __post_init__(self) -> None:
        check_knobs(self)
