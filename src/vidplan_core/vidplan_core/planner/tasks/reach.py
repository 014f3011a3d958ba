# SPDX-License-Identifier: Apache-2.0
"""Reach: bring the tool to rest over the target; the gripper stays as it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from vidplan_core.geometry.fk import tcp_position
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.language.instruction import REACH
from vidplan_core.planner.interfaces import ProposalSource, Situation, Start
from vidplan_core.planner.motion.space import MotionSpace
from vidplan_core.planner.objective.objective import TermObjective
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.proposals.sources import build_source
from vidplan_core.planner.tasks.stage_memory import StageMemory
from vidplan_core.planner.tasks.task_kind import CycleLook


@dataclass(frozen=True)
class Reach:
    """Rest `standoff_m` above the target.

    Attributes:
        standoff_m: height over the target.
        reached_m: horizontal distance that counts as over the target.
        reached_height_m: height above the goal that counts as reached.
        robot: whose tool it is.
    """

    verb: ClassVar[str] = REACH
    example: ClassVar[str] = 'move to the carrot'
    by_pictures: ClassVar[bool] = False
    imagined: ClassVar[bool] = True
    handles: ClassVar[bool] = False

    standoff_m: float
    reached_m: float
    reached_height_m: float
    robot: RobotModel = field(default_factory=default_robot)

    @classmethod
    def build(cls, parts: PlannerParts) -> Reach:
        """Make it; every world model with a scorer can reach."""
        config = parts.config
        return cls(
            config.standoff_m, config.reached_m, config.reached_height_m, parts.robot
        )

    def goal(self, target: Tensor) -> Tensor:
        """`standoff_m` above a target (3,)."""
        return target + target.new_tensor([0.0, 0.0, self.standoff_m])

    def gripper(self, start: Start) -> float:
        """As it is."""
        return start.closedness

    def motions(self, parts: PlannerParts) -> MotionSpace:
        """Straight ones, above the table."""
        return MotionSpace.build(parts)

    def source(self, parts: PlannerParts) -> ProposalSource:
        """Those that the configuration lists."""
        return build_source(parts)

    def objective(self, parts: PlannerParts) -> TermObjective:
        """The terms that the configuration weighs."""
        return TermObjective.build(parts)

    def done(self, position: Tensor, rotation: Tensor, target: Tensor) -> bool:
        """Whether the tool is over the target, and not far above the goal."""
        way = self.goal(target) - tcp_position(position, rotation, self.robot)
        over = float(way[:2].norm()) < self.reached_m
        return over and float(-way[2]) < self.reached_height_m

    def watch(self, memory: StageMemory, look: CycleLook) -> None:
        """It has no stages."""

    def finished(self, situation: Situation) -> float | None:
        """None: where the hand rests says it."""
        return None
