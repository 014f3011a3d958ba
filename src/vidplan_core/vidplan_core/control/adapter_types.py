# SPDX-License-Identifier: Apache-2.0
"""How the action adapter is configured, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass, field

from vidplan_core.control.commands import TrajectoryCommand
from vidplan_core.control.gripper_schedule import GripperRule
from vidplan_core.control.safety import SafetyConfig
from vidplan_core.control.watchdog import Verdict
from vidplan_core.geometry.ik import IkTolerance
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import default_robot


@dataclass(frozen=True)
class AdapterConfig:
    """How plans become motion.

    Attributes:
        robot: whose `limits` motions keep to and whose `hard_limits` nothing may break; where a
            pose leaves the elbow free, it rests as at home.
        safety: what is checked at the end.
        gripper: how planned closedness becomes commands.
        ik_tolerance: how far a joint solution may miss its pose before the plan is rejected.
        joint_state_timeout_s: longest age of a joint state that commands may build on, s.
        committed_step_s: spacing of the committed motion that the planner sees, s.
    """

    robot: RobotModel = field(default_factory=default_robot)
    safety: SafetyConfig = field(default_factory=SafetyConfig)
    gripper: GripperRule = field(default_factory=GripperRule)
    ik_tolerance: IkTolerance = field(default_factory=lambda: IkTolerance(0.01, 0.05))
    joint_state_timeout_s: float = 0.25
    committed_step_s: float = 0.05


@dataclass(frozen=True)
class AdapterState:
    """What the adapter is doing, for status messages.

    Attributes:
        plan_id: of the plan being followed, 0 when none.
        moving: whether the last trajectory has not ended yet.
        stopping: whether it is a stop or hold instead of a plan.
        rest_in_s: time until the arm rests, 0 when it does.
        verdict: the watchdog's.
        rejection: the last plan's rejection, 'REASON: message', empty when it was accepted.
    """

    plan_id: int
    moving: bool
    stopping: bool
    rest_in_s: float
    verdict: Verdict
    rejection: str


@dataclass(frozen=True)
class AdapterOutput:
    """What is due now, if anything.

    Attributes:
        trajectory: a stop that the watchdog demands, or a hold where somebody moved the arm to.
        closedness: what the gripper is to be commanded, 0 open .. 1 closed.
    """

    trajectory: TrajectoryCommand | None = None
    closedness: float | None = None
