# SPDX-License-Identifier: Apache-2.0
"""Fold: a square cloth in half, planned from what is seen of it after every chunk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
import torch

from vidplan_core.errors import IkError
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.geometry.ik import IkSolver, IkTolerance
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.se3 import so3_exp
from vidplan_core.language.instruction import FOLD
from vidplan_core.planner.interfaces import ProposalSource, Situation, Start
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.target.cloth import ClothFinder, ClothSighting
from vidplan_core.planner.target.locating import TargetLocator
from vidplan_core.planner.tasks.folding.memory import ClothLook
from vidplan_core.planner.tasks.folding.stages import LEAVE_M, LIFT_M, Stage, Waiting
from vidplan_core.planner.tasks.folding.way import FoldWay
from vidplan_core.planner.tasks.hand import hand_at
from vidplan_core.planner.tasks.seen_task import SeenTask
from vidplan_core.planner.tasks.stage_memory import StageMemory
from vidplan_core.planner.tasks.staged import SecondsToGo, StageMoves, stage_of
from vidplan_core.planner.tasks.task_kind import CycleLook

REACH = IkTolerance(position_m=0.003, rotation_rad=0.02)
POSE_S = 2.0  # that the arm may take from pose to pose
NOTE = (
    'nothing is imagined: the world model has never seen cloth; motions are judged by geometry, '
    'and by what is seen after each of them'
)


@dataclass(frozen=True, eq=False)
class Folding(SeenTask):
    """Fold a cloth along its diagonal and leave it.

    Attributes:
        locator: finds the cloth.
        robot: whose hand it is.
        retries: attempts that may fail.
    """

    verb: ClassVar[str] = FOLD
    example: ClassVar[str] = 'fold the towel'
    imagined: ClassVar[bool] = False

    locator: TargetLocator
    robot: RobotModel
    retries: int

    @classmethod
    def build(cls, parts: PlannerParts) -> Folding:
        """Make it; whoever localises with known cameras can fold."""
        return cls(parts.locator, parts.robot, parts.config.retries)

    def source(self, parts: PlannerParts) -> ProposalSource:
        """What the stage of the fold leaves open."""
        return StageMoves.build(parts, NOTE)

    def objective(self, parts: PlannerParts) -> SecondsToGo:
        """The time that is left."""
        return SecondsToGo(parts.robot)

    def watch(self, memory: StageMemory, look: CycleLook) -> Stage:
        """Take in a look; errors as for `ClothMemory.stage`."""
        position, rotation = look.poses.position[0, -1], look.poses.rotation[0, -1]
        closedness = look.poses.closedness[0]
        wrist = [name for name, camera in self.locator.cameras.items() if camera.mount != 'base']
        return memory.cloth.stage(
            ClothLook(
                see=cache(lambda: self._seen(look)),
                measured=(float(closedness[-1]), float(closedness[-2:][0])),
                present=hand_at(position, rotation, look.start.grip, self.robot),
                start=hand_at(look.start.position, look.start.rotation, look.start.grip,
                              self.robot),
                wrist=wrist[0] if wrist else '',
                reaches=self._reaching(look.start),
            ),
            self.retries,
        )  # fmt: skip

    def finished(self, situation: Situation) -> float | None:
        """1 where the pictures show the half of it, let go; else 0."""
        stage = stage_of(situation)
        return float(isinstance(stage, Waiting) and stage.done)

    def _seen(self, look: CycleLook) -> ClothSighting:
        position, rotation = look.poses.position[:, -1], look.poses.rotation[:, -1]
        finder = ClothFinder(self.locator)
        return finder.of(look.sighting, look.images, position, rotation, look.instruction.target)

    def _reaching(self, start: Start) -> Callable[[FoldWay], bool]:
        """Says of a way whether the arm comes everywhere that it leads, from a start."""
        solver, hand = IkSolver(self.robot, REACH), hand_at(
            start.position, start.rotation, start.grip, self.robot
        )

        def reaches(way: FoldWay) -> bool:
            yaw = way.yaw(hand.yaw, hand.home_yaw)
            turn = start.rotation.new_tensor([0.0, 0.0, yaw - hand.yaw])
            rotation = so3_exp(turn) @ start.rotation
            tool = tcp_position(torch.zeros_like(start.position), rotation, self.robot)
            away = way.release + np.append(-LEAVE_M * way.toward, LIFT_M)
            points = np.stack([way.over, way.grasp, way.arc(0.5 * np.pi), way.release, away])
            flange = points - tool.double().cpu().numpy()
            turns = rotation.double().cpu().numpy()[None].repeat(len(points), 0)
            try:
                solver.track(start.q.cpu().numpy(), flange, turns, POSE_S)
            except IkError:
                return False
            return True

        return reaches
