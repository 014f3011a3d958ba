# SPDX-License-Identifier: Apache-2.0
"""The basis of handling: over things, across them, down to them, up, closing and opening."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.fk import hand_yaw, tcp_position
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.heads.detectors.grasp.network import shortest, turn_to
from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.planner.interfaces import Situation
from vidplan_core.planner.motion.turning import LEVER_M, TurningMotions
from vidplan_core.planner.parts import PlannerParts

OVER_M, TRAVEL_M, RELEASE_M, GRASP_M = 0.11, 0.20, 0.13, 0.016  # heights of the tool
TURN_RAD, MOST_TURN_RAD = 0.6, 0.9
# Elongation and certainty from which on it matters how a thing lies.
LONG, SEEN = 0.3, 0.3
REACH_M = 0.14  # of one chunk


@dataclass(frozen=True)
class Primitives:
    """Motions with a purpose, relative to where target and destination are seen.

    Attributes:
        motions: makes chunks of them.
    """

    motions: TurningMotions

    @classmethod
    def build(cls, parts: PlannerParts) -> Primitives:
        """The primitives of a configuration."""
        return cls(TurningMotions.build(parts))

    @torch.no_grad()
    def propose(self, situation: Situation) -> PoseChunk:
        """Candidates (9 to 12, frames), all different.

        While the fingers are on their way, (2, frames) that stay.
        """
        grounding, start = situation.grounding, situation.start
        if grounding is None or grounding.places is None:
            raise ConfigError('primitives are for tasks whose target is seen with known cameras')
        tool = tcp_position(start.position, start.rotation, self.motions.robot)
        places = grounding.places[0, :, :3].to(tool)
        height, across = self._grasp(situation, grounding)
        motion, grip = primitives(tool, places, across.to(tool), start.grip, height)
        useful = first_of_each(torch.cat([motion, grip[:, None]], 1))
        if situation.gripping:  # what moves before they hold leaves the thing behind
            useful &= (motion == 0.0).all(1)
        motion, grip = motion[useful], grip[useful]
        return self.motions.chunk(start, motion, grip)


    def _grasp(
        self, situation: Situation, grounding: InstructionGrounding
    ) -> tuple[float, Tensor]:
        """Height of the tool, m, and turn, (), rad, with which to grasp the target."""
        robot, rotation = self.motions.robot, situation.start.rotation
        grasp = situation.grasp
        if grasp is not None and robot.fingertips:
            height = max(float(grasp.place[0, 2]), GRASP_M)
            return height, turn_to(grasp, hand_yaw(rotation, robot), situation.blocked)
        axes = torch.zeros(4) if grounding.axes is None else grounding.axes[0, 0]
        return GRASP_M, turn_across(robot, axes.to(rotation), rotation)


def turn_across(robot: RobotModel, axes: Tensor, rotation: Tensor) -> Tensor:
    """The shortest turn about the vertical after which the fingers close across a thing, rad.

    0 for things that are not long, or not seen well, and for hands without fingertips.

    Args:
        robot: whose fingertips say which way they close.
        axes: how the thing lies, (4,), as `axes_of` has it.
        rotation: of the flange, (3, 3).
    """
    if not robot.fingertips or float(axes[2]) < LONG or float(axes[3]) < SEEN:
        return axes.new_zeros(())
    return shortest(0.5 * torch.atan2(axes[1], axes[0]) - hand_yaw(rotation, robot))


def first_of_each(rows: Tensor) -> Tensor:
    """Which of some rows (count, numbers) are not the same as one before, bool (count,)."""
    same = (rows[:, None] == rows[None]).all(-1)
    return ~same.tril(-1).any(1)


def primitives(
    tool: Tensor, places: Tensor, across: Tensor, grip: float, grasp_m: float = GRASP_M
) -> tuple[Tensor, Tensor]:
    """Motions (12, 4), as `TurningMotions` has them, and closedness (12,).

    Args:
        tool: tool centre point (3,), base frame, m.
        places: of target and destination, (2, 3).
        across: turn after which the fingers close across the target, (), rad.
        grip: closedness that is commanded now.
        grasp_m: height of the tool in which the target is grasped.
    """
    target, bowl = places

    def at(place: Tensor, height: float) -> Tensor:
        way = torch.cat([place[:2], place.new_tensor([height])]) - tool
        return way * (REACH_M / way.norm().clamp_min(1e-6)).clamp_max(1.0)

    up = at(tool, TRAVEL_M)
    still = torch.zeros_like(up)
    turn = float(across.clamp(-MOST_TURN_RAD, MOST_TURN_RAD))
    rows = [
        (at(target, OVER_M), turn, grip),
        (at(target, grasp_m), turn, 0.0),
        (at(target, OVER_M), 0.0, grip),
        (at(target, grasp_m), 0.0, 0.0),
        (still, 0.0, 1.0),
        (still, 0.0, 0.0),
        (up, 0.0, grip),
        (at(bowl, TRAVEL_M), 0.0, grip),
        (at(bowl, RELEASE_M), 0.0, grip),
        (up, 0.0, 0.0),
        (still, TURN_RAD, grip),
        (still, -TURN_RAD, grip),
    ]
    turns = tool.new_tensor([[LEVER_M * turn] for _, turn, _ in rows])
    motion = torch.cat([torch.stack([move for move, _, _ in rows]), turns], 1)
    return motion, tool.new_tensor([closed for _, _, closed in rows])
