# SPDX-License-Identifier: Apache-2.0
"""The expert's way to where the fingers close, beside an object on purpose."""

from __future__ import annotations

import numpy as np

from vidplan_core.language.instruction import PLACE
from vidplan_sim.cell import Cell, CellState
from vidplan_sim.expert.looking import view_of
from vidplan_sim.expert.rule import PickPlaceTask, decide
from vidplan_training.collect.contact.inside import kept_inside
from vidplan_training.collect.motion import PERIOD_S, Motion

LONGEST_WAY = 16  # decisions


def aside(angle: float, radius_m: float) -> np.ndarray:
    """A place (3,) beside one, horizontally, m."""
    return np.array([radius_m * np.cos(angle), radius_m * np.sin(angle), 0.0])


def come_near(
    cell: Cell, motion: Motion, kind: str, offset: np.ndarray, lying: dict[str, float]
) -> CellState | None:
    """Go where the fingers would close, `offset` (3,) m beside an object.

    Returns:
        The state one frame before that; None where it pushed the object away on its way.
    """
    task, before = PickPlaceTask(PLACE, kind), cell.save()
    for _ in range(LONGEST_WAY):
        view = view_of(cell, kind, lying)
        decision, phase = decide(view.shifted(offset, 0.0), task)
        if phase == 'close':
            return before
        motion.start(kept_inside(view, decision))
        cell.step(PERIOD_S)
        before = cell.save()
        cell.step(PERIOD_S)
    return None
