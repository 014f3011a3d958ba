# SPDX-License-Identifier: Apache-2.0
"""What an episode came to, by ground truth: whether the named thing was pushed where it should.

Success: it lies at least 6 cm farther along the way and no more than 4 cm beside it, stands as it
stood, on the table, at rest, and the gripper touches it no more, at all looks of 0.4 s, within
the time limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidplan_core.geometry.workspace import PLANNING_BOX
from vidplan_eval.suites.judging.lasting import Lasting
from vidplan_sim.cell import Cell
from vidplan_sim.expert.ending import ASIDE_M, PUSHED_M, SUNK_M, went

RESTING_M_S = 0.02
PUSHED_S = 0.4
LOOK_S = 0.1  # between two looks
MOVED_M = 0.015


@dataclass(frozen=True)
class PushMoment:
    """The truth at one moment.

    Attributes:
        time_s: simulated.
        places: centres (3,) of all things by kind, base frame, m.
        touched: kinds that the gripper touches.
    """

    time_s: float
    places: dict[str, np.ndarray]
    touched: frozenset[str] = frozenset()


def push_moment(cell: Cell) -> PushMoment:
    """The truth of a cell, now."""
    return PushMoment(cell.time_s, cell.truth(), frozenset().union(*cell.touched().values()))


@dataclass(frozen=True)
class PushVerdict:
    """What an episode came to.

    Attributes:
        success: the thing was pushed where it should be within the limit.
        pushed_s: when it had been, after the first moment; None where it never was.
        kept: whether it is so at the end.
        along_m: how far it lies along the way at the end, m.
        aside_m: how far beside it, m.
        fell: whether it no longer stands as it stood.
        touched_named_first: whether the first thing that the gripper touched is the named one.
        moved_others: kinds of other things that were moved by more than 1.5 cm.
        failure: what went wrong, '' for a success.
    """

    success: bool
    pushed_s: float | None
    kept: bool
    along_m: float
    aside_m: float
    fell: bool
    touched_named_first: bool
    moved_others: tuple[str, ...]
    failure: str


class PushWitness:
    """Sees the moments of an episode and says in the end what it came to."""

    def __init__(self, first: PushMoment, kind: str, way: str, limit_s: float) -> None:
        """Start from the first moment; what is pushed more than `limit_s` later is too late."""
        self._first, self._latest, self._kind, self._way = first, first, kind, way
        self._pushed = Lasting(first.time_s, PUSHED_S, limit_s)
        self._touched: frozenset[str] = frozenset()
        self._rests = True

    def due(self, time_s: float) -> bool:
        """Whether it is time for another look."""
        return time_s - self._latest.time_s > LOOK_S - 1e-6

    def see(self, now: PushMoment) -> None:
        """Take in a moment, not earlier than the one before."""
        step = now.places[self._kind] - self._latest.places[self._kind]
        passed_s = max(now.time_s - self._latest.time_s, 1e-6)
        self._rests = float(np.linalg.norm(step)) < RESTING_M_S * passed_s
        self._latest = now
        self._touched = self._touched or now.touched
        self._pushed.see(now.time_s, self._holds())

    def pushed_for(self, span_s: float) -> bool:
        """Whether it was pushed where it should be that long ago or longer."""
        return self._pushed.counted_for(self._latest.time_s, span_s)

    def verdict(self) -> PushVerdict:
        """What it came to until now."""
        along_m, aside_m = self._moved()
        return PushVerdict(
            success=self._pushed.counted_s is not None,
            pushed_s=self._pushed.counted_s,
            kept=self._holds(),
            along_m=along_m,
            aside_m=aside_m,
            fell=self._fell(),
            touched_named_first=self._kind in self._touched,
            moved_others=self._moved_others(),
            failure=self._failure(),
        )

    def _holds(self) -> bool:
        along_m, aside_m = self._moved()
        there = along_m >= PUSHED_M and aside_m <= ASIDE_M and not self._fell() and self._inside()
        return there and self._rests and self._kind not in self._latest.touched

    def _moved(self) -> tuple[float, float]:
        """How far it has gone along the way, and how far it is beside it, m."""
        before, now = (moment.places[self._kind] for moment in (self._first, self._latest))
        return went(before, now, self._way)

    def _fell(self) -> bool:
        before, now = (moment.places[self._kind][2] for moment in (self._first, self._latest))
        return bool(now < before - SUNK_M)

    def _inside(self) -> bool:
        place, low, high = self._latest.places[self._kind], PLANNING_BOX.lower, PLANNING_BOX.upper
        return bool((np.array(low[:2]) <= place[:2]).all() and (place[:2] <= high[:2]).all())

    def _moved_others(self) -> tuple[str, ...]:
        before, now = self._first.places, self._latest.places
        return tuple(
            kind for kind in sorted(before)
            if kind != self._kind and float(np.linalg.norm(now[kind] - before[kind])) > MOVED_M
        )  # fmt: skip

    def _failure(self) -> str:
        if self._pushed.counted_s is not None:
            return ''
        if not self._touched:
            return 'touched nothing'
        along_m, aside_m = self._moved()
        if self._fell():
            return 'fell over'
        if max(abs(along_m), aside_m) <= MOVED_M:
            return 'did not move it'
        if aside_m > ASIDE_M:
            return 'pushed it aside'
        if along_m < PUSHED_M:
            return 'pushed it too little'
        if not self._inside():
            return 'pushed it out'
        return 'came too late' if self._holds() else 'did not leave it'
