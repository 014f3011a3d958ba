# SPDX-License-Identifier: Apache-2.0
"""Backing off: open the gripper and rise, to look again from above."""

from __future__ import annotations

from vidplan_core.data.action import PoseChunk
from vidplan_core.planner.interfaces import Start
from vidplan_core.planner.motion.turning import TurningMotions

RISE_M = 0.12


def retreat(motions: TurningMotions, start: Start) -> PoseChunk:
    """The chunk (1, frames) that backs off from a state."""
    return motions.chunk(start, start.position.new_tensor([[0.0, 0.0, RISE_M, 0.0]]), 0.0)
