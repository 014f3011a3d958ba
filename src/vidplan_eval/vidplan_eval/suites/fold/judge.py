# SPDX-License-Identifier: Apache-2.0
"""What an episode came to, by ground truth: whether the towel is folded in half, and let go.

Success: corners that belong together lie within 3 cm, the outline's overlap with the ideal half
is above 0.8, and the gripper touches no cloth, at all looks of 0.4 s, within the time limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidplan_eval.suites.fold.halves import FOLDS, Folded, corner_error, nearest_fold
from vidplan_eval.suites.judging.lasting import Lasting
from vidplan_sim.cell import Cell
from vidplan_sim.objects import cloth

CORNER_M, OVERLAP = 0.03, 0.8
FOLDED_S = 0.4
LOOK_S = 0.1  # between two looks
MOVED_M = 0.02


@dataclass(frozen=True)
class TowelMoment:
    """The truth at one moment.

    Attributes:
        time_s: simulated.
        mesh: vertices (rows, columns, 3) of the towel, base frame, m.
        touched: whether the gripper touches it.
    """

    time_s: float
    mesh: np.ndarray
    touched: bool = False

    @property
    def folded(self) -> bool:
        """Whether the towel is folded in half, by whoever."""
        if min(corner_error(self.mesh, fold) for fold in FOLDS) >= CORNER_M:
            return False  # which spares drawing its outline
        return nearest_fold(self.mesh).overlap > OVERLAP


def towel_moment(cell: Cell) -> TowelMoment:
    """The truth of a cell with a towel, now."""
    touched = any(cloth.NAME in kinds for kinds in cell.touched().values())
    return TowelMoment(cell.time_s, cell.cloth(), touched)


@dataclass(frozen=True)
class FoldVerdict:
    """What an episode came to.

    Attributes:
        success: the towel was folded and let go within the limit.
        folded_s: when it had been, after the first moment; None where it never was.
        kept: whether it is so at the end.
        fold: what it comes nearest to at the end: 'diagonal' or 'middle'.
        corner_error_m: at the end.
        overlap: at the end.
        released: whether the gripper touches no cloth at the end.
        failure: what went wrong, '' for a success.
    """

    success: bool
    folded_s: float | None
    kept: bool
    fold: str
    corner_error_m: float
    overlap: float
    released: bool
    failure: str


class FoldWitness:
    """Sees the moments of an episode and says in the end what it came to."""

    def __init__(self, first: TowelMoment, limit_s: float) -> None:
        """Start from the first moment; what is folded more than `limit_s` later is too late."""
        self._first, self._latest = first, first
        self._folded = Lasting(first.time_s, FOLDED_S, limit_s)
        self._touched = False

    def due(self, time_s: float) -> bool:
        """Whether it is time for another look."""
        return time_s - self._latest.time_s > LOOK_S - 1e-6

    def see(self, now: TowelMoment) -> None:
        """Take in a moment, not earlier than the one before."""
        self._latest = now
        self._touched = self._touched or now.touched
        self._folded.see(now.time_s, now.folded and not now.touched)

    def folded_for(self, span_s: float) -> bool:
        """Whether the towel was folded that long ago or longer."""
        return self._folded.counted_for(self._latest.time_s, span_s)

    def verdict(self) -> FoldVerdict:
        """What it came to until now."""
        last = self._latest
        near: Folded = nearest_fold(last.mesh)
        return FoldVerdict(
            success=self._folded.counted_s is not None,
            folded_s=self._folded.counted_s,
            kept=last.folded and not last.touched,
            fold=near.fold,
            corner_error_m=near.corner_error_m,
            overlap=near.overlap,
            released=not last.touched,
            failure=self._failure(),
        )

    def _failure(self) -> str:
        last = self._latest
        if self._folded.counted_s is not None:
            return ''
        if last.folded:
            return 'folded it without letting go' if last.touched else 'came too late'
        if not self._touched:
            return 'touched nothing'
        moved = np.linalg.norm(last.mesh - self._first.mesh, axis=-1).max() > MOVED_M
        return 'moved it without folding it' if moved else 'touched it without moving it'
