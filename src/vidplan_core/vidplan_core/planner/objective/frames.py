# SPDX-License-Identifier: Apache-2.0
"""The frames that a score is made of, and what they show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.planner.interfaces import Situation
from vidplan_core.planner.target.locating import Sighting, TargetLocator
from vidplan_core.world_model.world_model import Imagination


@dataclass(frozen=True, eq=False)
class ScoredFrames:
    """Some frames of candidates, one after the other: a batch of candidates times frames.

    Attributes:
        situation: what they follow from.
        poses: of these frames, (candidates, frames).
        numbers: of the frames within their chunk, from 1.
        imagination: that they belong to; None where nothing was imagined.
        locator: finds the target in all views.
        pictures: makes their views, (candidates, frames, views, 3, height, width) in [0, 1]; None
            where there are none. Asked once, if any term looks.
        robot: whose tool it is.
        chosen: numbers of the views that `pictures` makes; none for all.
        read: relevancy of a phrase in these views, (batch, views, rows, columns), where it is
            read from what was imagined; None where pictures are looked at.
    """

    situation: Situation
    poses: PoseChunk
    numbers: tuple[int, ...]
    imagination: Imagination | None
    locator: TargetLocator
    pictures: Callable[[], Tensor] | None
    robot: RobotModel
    chosen: tuple[int, ...] = ()
    read: Callable[[str], Tensor] | None = None

    @cached_property
    def looking(self) -> TargetLocator:
        """Finds the target in the views that are made."""
        return self.locator.of_views(self.chosen)

    @cached_property
    def position(self) -> Tensor:
        """Of the flange, (batch, 3), base frame, m."""
        return self.poses.position.flatten(0, 1)

    @cached_property
    def rotation(self) -> Tensor:
        """Of the flange, (batch, 3, 3)."""
        return self.poses.rotation.flatten(0, 1)

    @property
    def tool(self) -> Tensor:
        """Tool centre points (batch, 3), base frame, m."""
        return tcp_position(self.position, self.rotation, self.robot)

    @cached_property
    def images(self) -> Tensor | None:
        """Views (batch, views, 3, height, width) in [0, 1]; None where there are none."""
        return None if self.pictures is None else self.pictures().flatten(0, 1)

    @cached_property
    def sighting(self) -> Sighting | None:
        """Where the views show the target, (batch,); None where there are no views."""
        phrase, chosen = self.situation.instruction.target, self.situation.chosen
        if self.read is not None:
            return self.looking.locate(self.read(phrase), self.position, self.rotation, chosen)
        if self.images is None:
            return None
        return self.looking.look(
            self.images, self.position, self.rotation, phrase, chosen=chosen
        )

    @cached_property
    def target(self) -> Tensor:
        """Where the target is, (batch, 3) or (3,): as seen, or as remembered without views."""
        if self.sighting is None:
            return self.situation.target
        return self.looking.fuse(self.sighting, self.situation.target)
