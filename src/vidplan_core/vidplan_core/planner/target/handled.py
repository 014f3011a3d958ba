# SPDX-License-Identifier: Apache-2.0
"""What a look says of a thing that is handled: its place, its grasp, whether it is done."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import hand_yaw, tcp_position
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.heads.bundle import Heads
from vidplan_core.heads.detectors.grasp.network import Grasps
from vidplan_core.heads.grounding import InstructionGrounding, carried_along
from vidplan_core.planner.target.destination import SURE, DestinationMemory
from vidplan_core.planner.target.from_hand import placed_from_hand
from vidplan_core.planner.target.handled_look import HandledLook
from vidplan_core.planner.target.locating import TargetLocator
from vidplan_core.planner.target.resting import RestingTarget

# A grasp that errs by more than this, m, or is farther from where the target seems to be, is none.
SPREAD_M, AGREE_M = 0.02, 0.08
# One that errs by less than this is believed even where the hand hides a part of the thing.
NARROW_M = 0.006
# A hand so near to the grasp, m, was on its way to it.
BESIDE_M = 0.12


@dataclass
class HandledThing:
    """Where the target of a task and its destination are, from look to look.

    Attributes:
        destination: where the target is to be put.
        resting: where the target lies while the hand hides a part of it.
        blocked: headings of the hand, rad, with which it pressed on something beside the target.
    """

    destination: DestinationMemory = field(default_factory=DestinationMemory)
    resting: RestingTarget = field(default_factory=RestingTarget)
    blocked: list[float] = field(default_factory=list)
    _grasp: Tensor | None = None  # place (3,) of the last one

    def look(
        self, heads: Heads, locator: TargetLocator, robot: RobotModel,
        grounding: InstructionGrounding, images: Tensor, seen: PoseChunk, later: PoseChunk,
        grip: float,
    ) -> HandledLook:  # fmt: skip
        """Take in what views (1, views, 3, height, width) show.

        Args:
            heads: that look at pictures.
            locator: knows the cameras.
            robot: whose hand it is.
            grounding: of the instruction in these views.
            images: the views.
            seen: flange poses (1, frames), the last of when they were seen.
            later: the same, of where the plan starts.
            grip: closedness that is commanded there.
        """
        tool = tcp_position(seen.position[0, -1], seen.rotation[0, -1], robot)
        grounding = self.destination.settled(grounding, tool)
        success = None
        if heads.success is not None:
            success = heads.success(images, grounding, seen, grip)
        grasp = None
        if heads.grasp is not None and grip < 0.5:
            grasp = believed_grasp(heads.grasp(images, grounding, seen), grounding)
        if grasp is None:
            grounding = placed_from_hand(locator, grounding, seen, tool, grip)
        else:
            grounding = placed_at(grounding, grasp.place)
        clear = grasp is not None and float(grasp.spread_m[0]) < NARROW_M
        grounding = self.resting.settled(grounding, tool, grip, clear=clear)
        carried = carried_along(grounding, seen, later, grip)
        self._grasp = self._grasp if grasp is None else grasp.place[0]
        near = self._grasp is not None and float((tool - self._grasp).norm()) < BESIDE_M
        return HandledLook(carried, success, grasp, tuple(self.blocked), near)

    def press(self, look: HandledLook | None, rotation: Tensor, robot: RobotModel) -> None:
        """Take in that a hand pressed on something, with the flange at a rotation (3, 3)."""
        if look is not None and look.near:
            self.blocked.append(float(hand_yaw(rotation, robot)))


def believed_grasp(grasp: Grasps, grounding: InstructionGrounding) -> Grasps | None:
    """The grasp of a target that is seen; None for one far from where the target seems to be."""
    if grounding.places is None or float(grounding.places[0, 0, 3]) < SURE:
        return None
    apart = float((grasp.place[0] - grounding.places[0, 0, :3].to(grasp.place))[:2].norm())
    return grasp if apart < AGREE_M and float(grasp.spread_m[0]) < SPREAD_M else None


def placed_at(grounding: InstructionGrounding, place: Tensor) -> InstructionGrounding:
    """The grounding with its target over a place (1, 3), at the height that it has."""
    assert grounding.places is not None
    places = grounding.places.clone()
    places[:, 0, :2] = place[:, :2].to(places)
    return replace(grounding, places=places)
