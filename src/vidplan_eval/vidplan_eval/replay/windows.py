# SPDX-License-Identifier: Apache-2.0
"""Stretches of a recording without gaps, one after the other, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vidplan_core.data.observation import Observation
from vidplan_eval.viz.imagination import MOTION_M

STILL, FREE, CONTACT = 'still', 'free motion', 'contact'
#: Kinds of moments, in the order of tables.
KINDS = (STILL, FREE, CONTACT)
# Fingers work when they move by so much within a window, as a share of their way.
FINGERS_MOVE = 0.05
# Fingers that rest between these have something between them.
HOLDING = (0.1, 0.95)


@dataclass(frozen=True, eq=False)
class ObservationWindow:
    """A stretch of observations without gaps: the past, the present, and what then happened.

    Attributes:
        index: of the present among the observations.
        past: as many as the world model's history, the present last.
        future: frames of a chunk, the present first.
    """

    index: int
    past: list[Observation]
    future: list[Observation]


class WindowPlaces(NamedTuple):
    """Where the observations of a window are among all: their numbers, the present's twice."""

    past: tuple[int, ...]
    future: range

    @property
    def numbers(self) -> frozenset[int]:
        """All of them."""
        return frozenset((*self.past, *self.future))

    def window(self, observations: Mapping[int, Observation]) -> ObservationWindow:
        """Return the window that has these observations."""
        past = [observations[number] for number in self.past]
        future = [observations[number] for number in self.future]
        return ObservationWindow(self.future[0], past, future)


def window_places(
    stamps_s: Iterable[float],
    history: int,
    frames: int,
    period_s: float,
    ages: Sequence[int] = (),
) -> Iterator[WindowPlaces]:
    """Yield where the windows are among observations of these stamps; see `sliding_windows`."""
    back = tuple(ages) or tuple(range(history - 1, -1, -1))
    before = 0 if ages else history - 1
    joined: deque[bool] = deque(maxlen=before + frames - 1)
    last_s = None
    for number, stamp_s in enumerate(stamps_s):
        if last_s is not None:
            joined.append(abs(stamp_s - last_s - period_s) <= 0.5 * period_s)
        last_s, present = stamp_s, number - frames + 1
        if present >= before and all(joined):
            past = tuple(max(present - age, 0) for age in back)
            yield WindowPlaces(past, range(present, number + 1))


def sliding_windows(
    observations: Iterable[Observation],
    history: int,
    frames: int,
    period_s: float,
    ages: Sequence[int] = (),
) -> Iterator[ObservationWindow]:
    """Yield every window whose observations follow each other at the model's period.

    With `ages`, the model's own, its past lies that many frames back, or is the first
    observation; only its future must be whole then. No more is held than one window spans.
    """
    kept: dict[int, Observation] = {}
    span = max(ages or (history - 1,)) + frames

    def stamps_s() -> Iterator[float]:
        for number, seen in enumerate(observations):
            kept[number] = seen
            if number > span:  # the first one may be the past of all that follow
                kept.pop(number - span)
            yield seen.stamp_s

    for places in window_places(stamps_s(), history, frames, period_s, ages):
        yield places.window(kept)


def chosen_windows(
    chosen: Iterable[WindowPlaces], numbered: Iterable[tuple[int, Observation]]
) -> Iterator[ObservationWindow]:
    """Yield these windows as their observations come, but none of which one does not come.

    Args:
        chosen: oldest first.
        numbered: observations with their numbers, oldest first.
    """
    waiting, kept = deque(chosen), dict[int, Observation]()
    for number, seen in numbered:
        kept[number] = seen
        while waiting and waiting[0].future[-1] <= number:
            places = waiting.popleft()
            if places.numbers <= kept.keys():
                yield places.window(kept)
        oldest = min(waiting[0].numbers) if waiting else number
        kept = {place: one for place, one in kept.items() if place >= oldest}


def windows(
    observations: Sequence[Observation],
    history: int,
    frames: int,
    period_s: float,
    ages: Sequence[int] = (),
) -> list[ObservationWindow]:
    """Return the windows of observations that are all at hand; see `sliding_windows`."""
    return list(sliding_windows(observations, history, frames, period_s, ages))


def moves(window: ObservationWindow) -> bool:
    """Return whether the flange goes anywhere in what then happened."""
    return _moves(np.array([seen.position for seen in window.future]))


def kind_of(window: ObservationWindow) -> str:
    """Return which of KINDS a moment is, by what then happened."""
    positions = np.array([seen.position for seen in window.future])
    return kind_of_motion(positions, np.array([seen.closedness for seen in window.future]))


def kind_of_motion(positions: np.ndarray, closedness: np.ndarray) -> str:
    """Return which of KINDS a moment is, by what was then measured.

    Contact is where fingers move, or rest on something that keeps them from closing.

    Args:
        positions: of the flange, (frames, 3), m, the present first.
        closedness: (frames,).
    """
    works = bool(np.ptp(closedness) > FINGERS_MOVE)
    holds = HOLDING[0] < closedness[0] < HOLDING[1]
    moved = _moves(positions)
    if works or (holds and moved):
        return CONTACT
    return FREE if moved else STILL


def _moves(positions: np.ndarray) -> bool:
    return bool((np.linalg.norm(positions - positions[0], axis=-1) > MOTION_M).any())
