# SPDX-License-Identifier: Apache-2.0
"""What the looks of one task have shown of a thing that is pushed, and which stage that makes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidplan_core.errors import NoProgressError
from vidplan_core.planner.tasks.hand import Hand
from vidplan_core.planner.tasks.pushing.stages import (
    OVER_M,
    STROKE_M,
    Approaching,
    Looking,
    Rising,
    Stroking,
)
from vidplan_core.planner.tasks.pushing.way import (
    BEHIND_M,
    PUSH_M,
    TOUCH_M,
    PushWay,
    beside,
    carried,
    way_from,
)

# What counts as done is a little more than success asks for: places are seen to a centimetre.
DONE_M, ASIDE_M = 0.07, 0.032
ENOUGH_M = 0.09  # along the way, where a stroke ends
UNDER_WAY_M = 0.015  # above the height of a stroke: the fingers are down
BEHIND_TOO_M = 0.03  # that the hand may be farther behind than it should
OFF_M = 0.03  # beside the heading, where a stroke is given up
HIGH_M = 0.03  # below the height over things, from where looks count
CLOSED = 0.9
LOOKS = 2  # from over it, before a push is judged

PushStage = Approaching | Stroking | Rising | Looking


@dataclass(frozen=True, eq=False)
class PushLook:
    """One look.

    Attributes:
        place: of the thing, as all looks have it, (2,), base frame, m.
        way: direction, a key of `HEADINGS`.
        name: of the thing.
        present: the hand, now.
        start: the hand, when the plan takes over.
        closed: how far the fingers are closed.
    """

    place: np.ndarray
    way: str
    name: str
    present: Hand
    start: Hand
    closed: float


@dataclass(eq=False)
class PushMemory:
    """What is known of a push from look to look; all of it comes from pictures and the hand.

    Attributes:
        way: of the thing; None before the first look.
        begun: whether the hand has been down since it looked last.
        leaves: whether it is on its way up.
        attempts: strokes that were looked at and had not done it.
    """

    way: PushWay | None = None
    begun: bool = False
    leaves: bool = False
    attempts: int = 0
    _looks: int = 0

    def stage(self, look: PushLook, most_attempts: int) -> PushStage:
        """Take in a look; what is to be done next.

        Raises:
            InstructionError: the thing has no room to go this way.
            NoProgressError: it was tried often enough.
        """
        if self.way is None:
            self.way = way_from(look.place, look.way, look.name)
        elif not self.begun and not self.attempts:  # it has not been touched yet
            self.way = PushWay(look.place, self.way.toward)
        tool = look.start.tool
        if self.leaves and tool[2] < OVER_M - HIGH_M:
            return Rising()
        if tool[2] < STROKE_M + UNDER_WAY_M:
            self.begun = True
            return self._down(look, self.way)
        if self.begun and tool[2] > OVER_M - HIGH_M:
            return self._judged(look, self.way, most_attempts)
        if self.begun and look.present.tool[2] < STROKE_M + UNDER_WAY_M:
            return Rising()
        return Approaching(self.way, look.place, look.closed > CLOSED)

    def _down(self, look: PushLook, way: PushWay) -> PushStage:
        """A stroke, until the thing is where it should be or beside the hand's way."""
        place = carried(np.stack([look.present.tool, look.start.tool]), look.place)
        ahead, aside = beside(look.start.tool[:2] - place, way.heading(place))
        along, _ = way.moved(place)
        behind = -BEHIND_M - BEHIND_TOO_M < ahead < 0.5 * TOUCH_M and abs(aside) < OFF_M
        if along >= ENOUGH_M or not behind:
            self.leaves = True
            return Rising()
        return Stroking(way, place)

    def _judged(self, look: PushLook, way: PushWay, most_attempts: int) -> PushStage:
        """Look twice from over it, then say whether it is done."""
        self.leaves = False
        self._looks += 1
        if self._looks < LOOKS:
            return Looking(done=False)
        along, aside = way.moved(look.place)
        if along >= DONE_M and aside <= ASIDE_M:
            return Looking(done=True)
        self.begun, self._looks, self.attempts = False, 0, self.attempts + 1
        if self.attempts > most_attempts:
            raise NoProgressError(
                f'the {look.name} has gone {100 * along:.0f} of {100 * PUSH_M:.0f} cm and '
                f'{100 * aside:.0f} cm aside after {self.attempts} attempts; move what is in the '
                'way, or push it another way'
            )
        return Approaching(way, look.place, look.closed > CLOSED)
