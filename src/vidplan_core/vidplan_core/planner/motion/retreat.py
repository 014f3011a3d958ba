# SPDX-License-Identifier: Apache-2.0
"""Backing off: rise, to look again from above; what is held is kept, an empty hand opens."""

from __future__ import annotations

from vidplan_core.data.action import PoseChunk
from vidplan_core.planner.interfaces import Start
from vidplan_core.planner.motion.turning import TurningMotions

RISE_M = 0.12
# Fingers that were commanded to close and stopped before this hold something.
EMPTY_CLOSEDNESS = 0.95


def retreat(motions: TurningMotions, start: Start, measured: float) -> PoseChunk:
    """The chunk (1, frames) that backs off from a state, with fingers `measured` closed."""
    holds = start.grip > 0.5 and measured < EMPTY_CLOSEDNESS
    rise = start.position.new_tensor([[0.0, 0.0, RISE_M, 0.0]])
    return motions.chunk(start, rise, float(holds))
