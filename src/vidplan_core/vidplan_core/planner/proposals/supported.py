# SPDX-License-Identifier: Apache-2.0
"""Candidates inside what demonstrations show: none waits, none lets go on the way.

A value orders what is like its data. Of what no demonstration does it knows too little: where it
was flat the hand hovered, and it took fingers that open far from the bowl for a release in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.se3 import so3_log
from vidplan_core.heads.grounding import HOLDING
from vidplan_core.language.instruction import PLACE
from vidplan_core.planner.interfaces import ProposalSource, Situation

# Motions that are shorter than both of these get nowhere.
LEAST_M, LEAST_RAD = 0.01, 0.1
# What the closed fingers stop at is the target where that is seen so near to the tool, and it may
# be let go where the tool is so near to the destination 0.2 s later, in the plane of the table.
HELD_M, OVER_M = 0.06, 0.09


@dataclass(frozen=True)
class SupportedProposals:
    """Those candidates of a source that demonstrations support; all where none is.

    Attributes:
        source: proposes.
        robot: whose tool moves.
    """

    source: ProposalSource
    robot: RobotModel

    @torch.no_grad()
    def propose(self, situation: Situation) -> PoseChunk:
        """Candidates (candidates, frames), in the source's order."""
        found = self.source.propose(situation)
        kept = ~lets_go_early(found, situation, self.robot)
        if not situation.gripping:
            kept &= ~waits(found, situation.start.grip)
        return found.rows(kept.nonzero()[:, 0]) if bool(kept.any()) else found


def waits(chunk: PoseChunk, grip: float) -> Tensor:
    """Which chunks (candidates, frames) leave hand and gripper as they are, bool (candidates,)."""
    moved = (chunk.position[:, -1] - chunk.position[:, 0]).norm(dim=-1)
    turned = so3_log(chunk.rotation[:, 0].mT @ chunk.rotation[:, -1]).norm(dim=-1)
    same = (chunk.closedness[:, -1] > 0.5) == (grip > 0.5)
    return (moved < LEAST_M) & (turned < LEAST_RAD) & same


def lets_go_early(chunk: PoseChunk, situation: Situation, robot: RobotModel) -> Tensor:
    """Which chunks (candidates, frames) open fingers that hold the target elsewhere, bool."""
    opens = chunk.closedness[:, -1] < 0.5
    places = None if situation.grounding is None else situation.grounding.places
    if places is None or not _holds(situation, places[0, 0], robot):
        return torch.zeros_like(opens)
    if situation.instruction.verb != PLACE:
        return opens
    tool = tcp_position(chunk.position[:, 1], chunk.rotation[:, 1], robot)
    apart = (tool - places[0, 1, :3].to(tool))[:, :2].norm(dim=-1)
    return opens & (apart > OVER_M)


def _holds(situation: Situation, target: Tensor, robot: RobotModel) -> bool:
    """Whether the fingers were closed and stopped at the target (4,), as a grounding has it."""
    start = situation.start
    measured = float(situation.context.poses.closedness[0, -1])
    tool = tcp_position(start.position, start.rotation, robot)
    apart = float((tool - target[:3].to(tool))[:2].norm())
    stopped = HOLDING[0] < measured < HOLDING[1]
    return start.grip > 0.5 and stopped and apart < HELD_M
