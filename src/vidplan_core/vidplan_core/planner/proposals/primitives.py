# SPDX-License-Identifier: Apache-2.0
"""The basis of handling: over things, down to them, up, aside, closing and opening."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.planner.interfaces import Situation
from vidplan_core.planner.motion.turning import LEVER_M, TurningMotions
from vidplan_core.planner.parts import PlannerParts

OVER_M, TRAVEL_M, RELEASE_M, GRASP_M = 0.11, 0.20, 0.13, 0.02  # heights of the tool
TURN_RAD = 0.6
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
        """Candidates (10, frames)."""
        if situation.grounding is None or situation.grounding.places is None:
            raise ConfigError('primitives are for tasks whose target is seen with known cameras')
        start = situation.start
        tool = tcp_position(start.position, start.rotation, self.motions.robot)
        motion, grip = primitives(tool, situation.grounding.places[0, :, :3].to(tool), start.grip)
        return self.motions.chunk(start, motion, grip)


def primitives(tool: Tensor, places: Tensor, grip: float) -> tuple[Tensor, Tensor]:
    """Motions (10, 4), as `TurningMotions` has them, and closedness (10,).

    Args:
        tool: tool centre point (3,), base frame, m.
        places: of target and destination, (2, 3).
        grip: closedness that is commanded now.
    """
    target, bowl = places

    def at(place: Tensor, height: float) -> Tensor:
        way = torch.cat([place[:2], place.new_tensor([height])]) - tool
        return way * (REACH_M / way.norm().clamp_min(1e-6)).clamp_max(1.0)

    up = at(tool, TRAVEL_M)
    still = torch.zeros_like(up)
    rows = [
        (at(target, OVER_M), 0.0, grip),
        (at(target, GRASP_M), 0.0, 0.0),
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
