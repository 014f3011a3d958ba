# SPDX-License-Identifier: Apache-2.0
"""What an episode came to, by ground truth: what was touched, moved and lifted, and placed.

Success: the target is in the bowl and released at all looks of 0.4 s, within the time limit.
The instruction is followed if the tool is over the named object, nearer to it than to any other,
when the first object is touched or moved by more than 1.5 cm. That the first one touched or moved
is the named one itself says less: an open hand that goes down between close neighbours brushes one
of them, the expert's too; it is reported beside. The bowl does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from vidplan_eval.suites.judging.lasting import Lasting
from vidplan_sim.cell import Cell
from vidplan_sim.expert.looking import touch
from vidplan_sim.expert.script import lies_in_bowl

BOWL = 'bowl'
MOVED_M = 0.015
LIFTED_M = 0.04
# The target counts as placed once it has been in the bowl for this long.
PLACED_S = 0.4


@dataclass(frozen=True)
class TrueMoment:
    """The truth at one moment.

    Attributes:
        time_s: simulated.
        places: centres (3,) of all objects and the bowl, by kind, base frame, m.
        touched: kinds that the gripper touches.
        held: kind between both closed fingers, '' for none.
        tool: tool centre point (3,), base frame, m.
    """

    time_s: float
    places: Mapping[str, np.ndarray]
    touched: frozenset[str] = frozenset()
    held: str = ''
    tool: np.ndarray = field(default_factory=lambda: np.zeros(3))

    def inside(self, kind: str) -> bool:
        """Whether an object lies in the bowl and nobody holds it."""
        return lies_in_bowl(self.places[kind], self.places[BOWL]) and kind != self.held


def true_moment(cell: Cell) -> TrueMoment:
    """The truth of a cell, now."""
    felt = touch(cell)
    return TrueMoment(cell.time_s, cell.truth(), felt.kinds, felt.held, cell.tcp)


@dataclass(frozen=True)
class EpisodeVerdict:
    """What an episode came to.

    Attributes:
        success: the target was placed within the limit.
        placed_s: when it had been, after the first moment; None where it never was.
        kept: whether it lies in the bowl at the end.
        first_moved: the objects that were moved first, at the same time.
        first_touched: those that were touched first.
        went_for: the object under the tool when the first one was touched or moved, '' for none.
        followed: whether that is the named one.
        moved_named: whether the named object alone was moved first.
        touched_named: whether it alone was touched first.
        first_lifted: kind, '' for none.
        lifted_named: whether the named one was lifted at any time.
        wrong_in_bowl: other objects in the bowl at the end.
        failure: what went wrong, '' for a success.
    """

    success: bool
    placed_s: float | None
    kept: bool
    first_moved: tuple[str, ...]
    first_touched: tuple[str, ...]
    went_for: str
    followed: bool
    moved_named: bool
    touched_named: bool
    first_lifted: str
    lifted_named: bool
    wrong_in_bowl: tuple[str, ...]
    failure: str


class Witness:
    """Sees every moment of an episode and says in the end what it came to."""

    def __init__(self, named: str, first: TrueMoment, limit_s: float) -> None:
        """Start from the first moment; what is placed more than `limit_s` later is too late."""
        self._named, self._first, self._latest = named, first, first
        self._placed = Lasting(first.time_s, PLACED_S, limit_s)
        self._lifted: list[str] = []
        self._moved: frozenset[str] = frozenset()
        self._touched: frozenset[str] = frozenset()
        self._went_for = ''

    def see(self, now: TrueMoment) -> None:
        """Take in a moment, not earlier than the one before."""
        self._latest = now
        self._moved = self._moved or self._displaced(now)
        self._touched = self._touched or now.touched - {BOWL}
        if not self._went_for and (self._moved or self._touched):
            self._went_for = self._under_tool(now)
        self._lifted += [kind for kind in self._raised(now) if kind not in self._lifted]
        self._placed.see(now.time_s, now.inside(self._named))

    def placed_for(self, span_s: float) -> bool:
        """Whether the target was placed that long ago or longer."""
        return self._placed.counted_for(self._latest.time_s, span_s)

    def verdict(self) -> EpisodeVerdict:
        """What it came to until now."""
        last = self._latest
        others = [kind for kind in self._objects if kind != self._named]
        return EpisodeVerdict(
            success=self._placed.counted_s is not None,
            placed_s=self._placed.counted_s,
            kept=last.inside(self._named),
            first_moved=tuple(sorted(self._moved)),
            first_touched=tuple(sorted(self._touched)),
            went_for=self._went_for,
            followed=self._went_for == self._named,
            moved_named=self._moved == {self._named},
            touched_named=self._touched == {self._named},
            first_lifted=self._lifted[0] if self._lifted else '',
            lifted_named=self._named in self._lifted,
            wrong_in_bowl=tuple(kind for kind in others if last.inside(kind)),
            failure=self._failure(),
        )

    @property
    def _objects(self) -> list[str]:
        return [kind for kind in self._first.places if kind != BOWL]

    def _displaced(self, now: TrueMoment) -> frozenset[str]:
        before = self._first.places
        apart = {k: float(np.linalg.norm(now.places[k] - before[k])) for k in self._objects}
        return frozenset(kind for kind, distance in apart.items() if distance > MOVED_M)

    def _under_tool(self, now: TrueMoment) -> str:
        gaps = {kind: now.places[kind][:2] - now.tool[:2] for kind in self._objects}
        return min(self._objects, key=lambda kind: float(np.linalg.norm(gaps[kind])))

    def _raised(self, now: TrueMoment) -> list[str]:
        rise = {kind: now.places[kind][2] - self._first.places[kind][2] for kind in self._objects}
        return [kind for kind in self._objects if kind in now.touched and rise[kind] > LIFTED_M]

    def _failure(self) -> str:
        if self._placed.counted_s is not None:
            return ''
        wrong = [kind for kind in self._objects if kind != self._named]
        if any(self._latest.inside(kind) for kind in wrong):
            return 'put another object into the bowl'
        if self._named in self._lifted:
            return 'came too late' if self._latest.inside(self._named) else 'lifted it and lost it'
        if self._lifted:
            return 'lifted another object'
        if self._went_for == self._named:
            return 'went for it without lifting it'
        return 'went for another object' if self._went_for else 'touched nothing'
