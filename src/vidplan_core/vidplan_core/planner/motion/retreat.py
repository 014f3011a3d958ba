# SPDX-License-Identifier: Apache-2.0
"""Backing off: rise, to look again from above; what is held is kept, an empty hand opens."""

from __future__ import annotations

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.planner.interfaces import Start
from vidplan_core.planner.motion.turning import TurningMotions

RISE_M, HIGHEST_M = 0.12, 0.24  # of the tool
# Fingers that were commanded to close and stopped before this hold something.
EMPTY_CLOSEDNESS = 0.95


def retreat(motions: TurningMotions, start: Start, measured: float) -> PoseChunk:
    """The chunk (1, frames) that backs off from a state, with fingers `measured` closed."""
    holds = start.grip > 0.5 and measured < EMPTY_CLOSEDNESS
    tool = tcp_position(start.position, start.rotation, motions.robot)
    rise = min(RISE_M, max(HIGHEST_M - float(tool[2]), 0.0))
    motion = start.position.new_tensor([[0.0, 0.0, rise, 0.0]])
    return motions.chunk(start, motion, float(holds))
