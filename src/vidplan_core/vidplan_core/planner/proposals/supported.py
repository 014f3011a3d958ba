# SPDX-License-Identifier: Apache-2.0
"""Candidates inside what demonstrations show: none waits, lands on a thing or lets go early.

A value orders what is like its data. Of what no demonstration does it knows too little: where it
was flat the hand hovered, it was content with the tip of a pea between the fingers, and it took
fingers that open far from the bowl for a release in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import hand_yaw, tcp_position
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.se3 import so3_log
from vidplan_core.heads.detectors.grasp.network import turn_to
from vidplan_core.heads.grounding import HOLDING
from vidplan_core.language.instruction import PLACE
from vidplan_core.planner.interfaces import ProposalSource, Situation

# Motions that are shorter than both of these get nowhere.
LEAST_M, LEAST_RAD = 0.01, 0.1
# What the closed fingers stop at is the target where that is seen so near to the tool, and it may
# be let go where the tool is so near to the destination 0.2 s later, in the plane of the table.
HELD_M, OVER_M = 0.06, 0.055
# Fingers close where the tool is no higher than this above the grasp, the table and where it was.
ABOVE_M, LOWEST_M = 0.008, 0.018
# And where the hand does not move away from it meanwhile, by more than this, m.
ASIDE_M = 0.004
# An open hand is turned as it will close, to this, where it is so near to the place, m and rad.
LANDING_M, MISTURNED_RAD = 0.05, 0.45
# An open hand that is over the grasp and turned for it to this, m and rad, goes down by this, m.
ABOVE_IT_M, TURNED_RAD, LOWER_M = 0.025, 0.3, 0.01
# An open hand comes no nearer to the destination than this where the target is farther away, m.
APART_M = 0.10


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
        kept = self.supports(found, situation)
        return found.rows(kept.nonzero()[:, 0]) if bool(kept.any()) else found

    @torch.no_grad()
    def supports(self, chunk: PoseChunk, situation: Situation) -> Tensor:
        """Which chunks (candidates, frames) demonstrations support, bool (candidates,)."""
        kept = ~lets_go_early(chunk, situation, self.robot)
        kept &= ~closes_beside(chunk, situation, self.robot)
        kept &= ~carries_nothing(chunk, situation, self.robot)
        kept &= ~lands_across(chunk, situation, self.robot)
        kept &= ~hovers(chunk, situation, self.robot)
        kept &= ~strays(chunk, situation, self.robot)
        stays = still(chunk)
        # What moves while the fingers close leaves the thing behind.
        if situation.gripping and bool(stays.any()):
            return kept & stays
        return kept & ~(stays & ~changes_grip(chunk, situation.start.grip))


def still(chunk: PoseChunk) -> Tensor:
    """Which chunks (candidates, frames) leave the hand where it is, bool (candidates,)."""
    moved = (chunk.position[:, -1] - chunk.position[:, 0]).norm(dim=-1)
    turned = so3_log(chunk.rotation[:, 0].mT @ chunk.rotation[:, -1]).norm(dim=-1)
    return (moved < LEAST_M) & (turned < LEAST_RAD)


def changes_grip(chunk: PoseChunk, grip: float) -> Tensor:
    """Which chunks (candidates, frames) open a closed hand, or close an open one, bool."""
    return (chunk.closedness[:, -1] > 0.5) != (grip > 0.5)


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


def closes_beside(chunk: PoseChunk, situation: Situation, robot: RobotModel) -> Tensor:
    """Which chunks (candidates, frames) close an open hand above what is taken, or leave it."""
    closes = (chunk.closedness[:, -1] > 0.5) & (situation.start.grip < 0.5)
    if situation.grounding is None or situation.grounding.places is None:
        return torch.zeros_like(closes)
    begin, end = (
        tcp_position(chunk.position[:, k], chunk.rotation[:, k], robot) for k in (0, -1)
    )
    grasp = situation.grasp
    place = situation.grounding.places[0, 0, :3] if grasp is None else grasp.place[0]
    target = place.to(end)
    high = end[:, 2] > target[2].clamp_min(LOWEST_M) + ABOVE_M
    high |= end[:, 2] > begin[:, 2] + ABOVE_M
    before, after = ((tool - target)[:, :2].norm(dim=-1) for tool in (begin, end))
    return closes & (high | (after > before + ASIDE_M))


def lands_across(chunk: PoseChunk, situation: Situation, robot: RobotModel) -> Tensor:
    """Which chunks (candidates, frames) come down on the target turned otherwise, bool."""
    grasp = situation.grasp
    if grasp is None or situation.start.grip > 0.5 or not robot.fingertips:
        return torch.zeros(len(chunk), dtype=torch.bool, device=chunk.position.device)
    end = tcp_position(chunk.position[:, -1], chunk.rotation[:, -1], robot)
    place = grasp.place[0].to(end)
    low = end[:, 2] < place[2] + LANDING_M
    beside = (end - place)[:, :2].norm(dim=-1) < LANDING_M
    left = turn_to(grasp, hand_yaw(chunk.rotation[:, -1], robot), situation.blocked)
    return low & beside & (left.abs() > MISTURNED_RAD)


def hovers(chunk: PoseChunk, situation: Situation, robot: RobotModel) -> Tensor:
    """Which chunks (candidates, frames) keep an open hand over a grasp it is ready for, bool."""
    grasp, start = situation.grasp, situation.start
    none = torch.zeros(len(chunk), dtype=torch.bool, device=chunk.position.device)
    if grasp is None or start.grip > 0.5 or not robot.fingertips:
        return none
    begin, end = (
        tcp_position(chunk.position[:, k], chunk.rotation[:, k], robot) for k in (0, -1)
    )
    place = grasp.place[0].to(begin)
    turn = turn_to(grasp, hand_yaw(chunk.rotation[:, 0], robot), situation.blocked).abs()
    ready = ((begin - place)[:, :2].norm(dim=-1) < ABOVE_IT_M) & (turn < TURNED_RAD)
    high = begin[:, 2] > place[2].clamp_min(LOWEST_M) + ABOVE_M + LOWER_M
    return ready & high & (end[:, 2] > begin[:, 2] - LOWER_M)


def strays(chunk: PoseChunk, situation: Situation, robot: RobotModel) -> Tensor:
    """Which chunks (candidates, frames) take a hand that begins again elsewhere, bool.

    The value has led nowhere then, and a demonstration would go back to the thing.
    """
    grasp, start = situation.grasp, situation.start
    none = torch.zeros(len(chunk), dtype=torch.bool, device=chunk.position.device)
    if grasp is None or start.grip > 0.5 or not situation.again:
        return none
    ends = (tcp_position(chunk.position[:, k], chunk.rotation[:, k], robot) for k in (0, -1))
    here, there = ((tool - grasp.place[0].to(tool))[:, :2].norm(dim=-1) for tool in ends)
    return (here > ABOVE_IT_M) & (there > here - LEAST_M)


def carries_nothing(chunk: PoseChunk, situation: Situation, robot: RobotModel) -> Tensor:
    """Which chunks (candidates, frames) take an open hand to the destination, bool."""
    places = None if situation.grounding is None else situation.grounding.places
    away = torch.zeros(len(chunk), dtype=torch.bool, device=chunk.position.device)
    if places is None or situation.instruction.verb != PLACE or situation.start.grip > 0.5:
        return away
    bowl, target = places[0, 1, :2], places[0, 0, :2]
    ends = (tcp_position(chunk.position[:, k], chunk.rotation[:, k], robot) for k in (0, -1))
    here, there = ((tool[:, :2] - bowl.to(tool)).norm(dim=-1) for tool in ends)
    apart = float((target - bowl).norm()) > APART_M
    return away | (there < here - LEAST_M) & (there < APART_M) & apart


def _holds(situation: Situation, target: Tensor, robot: RobotModel) -> bool:
    """Whether the fingers were closed and stopped at the target (4,), as a grounding has it."""
    start = situation.start
    measured = float(situation.context.poses.closedness[0, -1])
    tool = tcp_position(start.position, start.rotation, robot)
    apart = float((tool - target[:3].to(tool))[:2].norm())
    stopped = HOLDING[0] < measured < HOLDING[1]
    return start.grip > 0.5 and stopped and apart < HELD_M
