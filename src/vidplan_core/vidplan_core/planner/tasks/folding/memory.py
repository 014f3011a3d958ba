# SPDX-License-Identifier: Apache-2.0
"""What the looks of one task have shown of a cloth, and which stage of the fold that makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from vidplan_core.errors import NoProgressError, TargetNotFoundError
from vidplan_core.planner.target.cloth import ClothSighting
from vidplan_core.planner.target.outline import Square, corner_tip
from vidplan_core.planner.tasks.folding.halves import folded, overlap_with_half
from vidplan_core.planner.tasks.folding.stages import (
    CLEAR_M,
    Carrying,
    Leaving,
    Reaching,
    Stage,
    Waiting,
)
from vidplan_core.planner.tasks.folding.way import OVER_M, FoldWay
from vidplan_core.planner.tasks.hand import Hand

SIDE_M = (0.14, 0.26)  # of what the hand can fold
# Overlap with the ideal half, the median of the views that show all of the cloth. Two layers lie
# above the table and seem to reach beyond the half: what overlaps by 0.98 is seen to by 0.76 to
# 0.88, what was moved without being folded by 0.68.
FOLDED = 0.74
STOPPED = 0.04  # fingers that close less than this between two looks have stopped
BEGUN, OPEN, EMPTY = 0.4, 0.3, 0.985  # closedness: closing; let go; closed on nothing
NEAR_M, LOWEST_LOOK_M = 0.03, 0.05
# Along the arc, while the wrist camera sees the corner opposite: later the one that is carried
# hides it, and would lead the hand back.
FAR_LOOK_RAD = (1.5, 2.1)
MOST_MOVED_M = 0.035  # that a closer look corrects a corner by
TIP_M = 0.003  # by which a corner ends after the last pixel of its colour
SINKS_M = 0.015  # of the height that looks are made from, while the arm is on its way there
MOST_LOOKS = 3  # looks that show nothing


@dataclass(frozen=True, eq=False)
class ClothLook:
    """One look.

    Attributes:
        see: the cloth in the present views; asked once, if at all.
        measured: closedness of the fingers now, and one frame before.
        present: the hand, now.
        start: the hand, when the plan takes over.
        wrist: name of the view that moves with the hand; '' where there is none.
        reaches: whether the arm can do a way.
    """

    see: Callable[[], ClothSighting]
    measured: tuple[float, float]
    present: Hand
    start: Hand
    wrist: str
    reaches: Callable[[FoldWay], bool]


@dataclass(eq=False)
class ClothMemory:
    """What is known of a cloth from look to look; all of it comes from pictures and the hand.

    Attributes:
        ways: to fold it, while it lies spread out; none while nobody knows.
        way: the one that is being done.
        looked: whether the wrist camera has seen the corner.
        released: whether the corner was let go.
        overlap: with the ideal half, as it was seen last.
        attempts: that came to nothing.
        missed: looks in a row that showed nothing.
    """

    ways: Sequence[FoldWay] = ()
    way: FoldWay | None = None
    looked: bool = False
    released: bool = False
    overlap: float = 0.0
    attempts: int = 0
    missed: int = 0
    _looks: int = field(default=0, repr=False)

    def stage(self, look: ClothLook, most_attempts: int) -> Stage:
        """Take in a look; what is to be done next.

        Raises:
            TargetNotFoundError: no cloth that could be folded is seen.
            NoProgressError: it was tried often enough.
        """
        if self.attempts > most_attempts:
            raise NoProgressError(
                f'the cloth was not folded after {self.attempts} attempts, its outline covers '
                f'{self.overlap:.2f} of the half that it should; spread it out and try again'
            )
        now, before = look.measured
        if look.start.grip > 0.5:
            return self._closed(look, now, now > BEGUN and now - before < STOPPED)
        if now > OPEN:
            return Waiting(0.0)
        if self.way is not None:
            self.released = True
            return self._let_go(look)
        return self._spread(look)

    def _closed(self, look: ClothLook, now: float, stopped: bool) -> Stage:
        if not stopped:
            return Waiting(1.0)
        if now > EMPTY or not self.ways:
            self._fail()
            return Waiting(0.0)
        if self.way is None:
            grasp = look.present.tool[:2]
            self.way = min(self.ways, key=lambda way: _apart(way.grasp[:2], grasp))
        self._look_at_far(look)
        return Carrying(self.way)

    def _let_go(self, look: ClothLook) -> Stage:
        """Out of the fold, then look whether it is one."""
        assert self.way is not None
        if look.present.tool[2] < CLEAR_M - SINKS_M:
            return Leaving(self.way)
        try:
            self.overlap = seen_overlap(look.see(), self.way)
        except TargetNotFoundError as error:
            return self._unseen(error)
        self._looks += 1
        if self.overlap >= FOLDED:
            return Waiting(0.0, done=True)
        if self._looks >= MOST_LOOKS:
            self._fail()
        return Waiting(0.0)

    def _spread(self, look: ClothLook) -> Stage:
        if not self.ways:
            if self.attempts and look.present.tool[2] < CLEAR_M - SINKS_M:
                return Leaving(None)
            try:
                self.ways = ways_of(look.see(), look.reaches)
            except TargetNotFoundError as error:
                return self._unseen(error)
            self.missed = 0
        if not self.looked:
            self._look_closer(look)
        return Reaching(self.ways, self.looked)

    def _unseen(self, error: TargetNotFoundError) -> Stage:
        """Stay and look again, but not for ever."""
        self.missed += 1
        if self.missed >= MOST_LOOKS:
            raise error
        return Waiting(0.0)

    def _look_closer(self, look: ClothLook) -> None:
        """Over a corner, take its tip from the wrist camera."""
        tool = look.present.tool
        near = [way for way in self.ways if _apart(way.grasp[:2], tool[:2]) < NEAR_M]
        if not near or not LOWEST_LOOK_M < tool[2] < OVER_M + NEAR_M:
            return
        way = near[0]
        tip = seen_tip(look, way.tip, way.toward)
        self._looks += 1
        if tip is None and self._looks < MOST_LOOKS:
            return
        moved = np.zeros(2) if tip is None else tip + TIP_M * way.toward - way.tip
        self.ways, self.looked, self._looks = [way.shifted(moved)], True, 0

    def _look_at_far(self, look: ClothLook) -> None:
        """Half way along the arc, take the corner opposite from the wrist camera."""
        assert self.way is not None
        if not FAR_LOOK_RAD[0] < float(self.way.angle(look.present.tool)) < FAR_LOOK_RAD[1]:
            return
        far = seen_tip(look, self.way.far, -self.way.toward)
        if far is not None:
            self.way = FoldWay(self.way.tip, far, self.way.overlap)

    def _fail(self) -> None:
        self.ways, self.way, self.looked, self.released = (), None, False, False
        self.attempts, self._looks, self.missed = self.attempts + 1, 0, 0


def ways_of(seen: ClothSighting, reaches: Callable[[FoldWay], bool]) -> list[FoldWay]:
    """The ways to fold what is seen, that the arm can do.

    Raises:
        TargetNotFoundError: it is no square of a cloth's size, or out of reach.
    """
    square = seen.square()
    if not SIDE_M[0] < square.side_m < SIDE_M[1]:
        raise TargetNotFoundError(
            f'what should be folded has a side of {square.side_m:.2f} m, expected {SIDE_M[0]} to '
            f'{SIDE_M[1]}: it is not spread out, or in part hidden'
        )
    found = [way for way in _diagonals(square) if reaches(way)]
    if not found:
        raise TargetNotFoundError('no two opposite corners of the cloth are within reach')
    return [
        FoldWay(w.tip, w.far, max(overlap_with_half(folded(v, w), w) for v in _whole(seen)))
        for w in found
    ]


def _diagonals(square: Square) -> list[FoldWay]:
    return [FoldWay(square.corners[k], square.corners[(k + 2) % 4]) for k in range(4)]


def seen_overlap(seen: ClothSighting, way: FoldWay) -> float:
    """Overlap with the half of a way, the median of the views that show all of it.

    Raises:
        TargetNotFoundError: none does.
    """
    return float(np.median([overlap_with_half(places, way) for places in _whole(seen)]))


def _whole(seen: ClothSighting) -> list[np.ndarray]:
    """What the views show that show all of a cloth; the error is as for `seen_overlap`."""
    whole = [view.places for view in seen.views.values() if view.whole and len(view.places)]
    if not whole:
        raise TargetNotFoundError('no view shows all of the cloth; take away what hides it')
    return whole


def seen_tip(look: ClothLook, corner: np.ndarray, outward: np.ndarray) -> np.ndarray | None:
    """A corner (2,) near where it is believed, by the wrist camera; None where it shows none."""
    try:
        view = look.see().views.get(look.wrist)
    except TargetNotFoundError:
        return None
    tip = None if view is None else corner_tip(view.places, corner, outward)
    return None if tip is None or _apart(tip, corner) > MOST_MOVED_M else tip


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one - other))
