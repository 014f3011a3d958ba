# SPDX-License-Identifier: Apache-2.0
"""Push: a thing along the table, by strokes that are imagined, or judged by geometry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vidplan_core.geometry.robot import RobotModel
from vidplan_core.language.instruction import PUSH
from vidplan_core.planner.interfaces import ProposalSource, Situation
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.tasks.hand import hand_at
from vidplan_core.planner.tasks.pushing.imagined import ImaginedEnds
from vidplan_core.planner.tasks.pushing.memory import PushLook
from vidplan_core.planner.tasks.pushing.stages import Looking
from vidplan_core.planner.tasks.seen_task import SeenTask
from vidplan_core.planner.tasks.stage_memory import StageMemory
from vidplan_core.planner.tasks.staged import SecondsToGo, StageMoves, TaskStage
from vidplan_core.planner.tasks.task_kind import CycleLook


@dataclass(frozen=True, eq=False)
class Pushing(SeenTask):
    """Push a thing 10 cm along the table and leave it.

    Attributes:
        robot: whose hand it is.
        retries: attempts that may fail.
    """

    verb: ClassVar[str] = PUSH
    example: ClassVar[str] = 'push the carrot to the left'
    imagined: ClassVar[bool] = True

    robot: RobotModel
    retries: int

    @classmethod
    def build(cls, parts: PlannerParts) -> Pushing:
        """Make it; whoever localises with known cameras can push."""
        return cls(parts.robot, parts.config.retries)

    def source(self, parts: PlannerParts) -> ProposalSource:
        """What the stage of the push leaves open."""
        return StageMoves.build(parts)

    def objective(self, parts: PlannerParts) -> SecondsToGo:
        """The time that is left, by where strokes are imagined to bring the thing."""
        return SecondsToGo(parts.robot, ImaginedEnds(parts))

    def watch(self, memory: StageMemory, look: CycleLook) -> TaskStage:
        """Take in a look; errors as for `PushMemory.stage`."""
        assert look.instruction.way is not None
        position, rotation = look.poses.position[0, -1], look.poses.rotation[0, -1]
        grip = look.start.grip
        return memory.push.stage(
            PushLook(
                place=look.place[:2].double().cpu().numpy(),
                way=look.instruction.way,
                name=look.instruction.target,
                present=hand_at(position, rotation, grip, self.robot),
                start=hand_at(look.start.position, look.start.rotation, grip, self.robot),
                closed=float(look.poses.closedness[0, -1]),
            ),
            self.retries,
        )

    def finished(self, situation: Situation) -> float | None:
        """1 where the looks from over it show the thing where it should be; else 0."""
        return float(isinstance(situation.stage, Looking) and situation.stage.done)
