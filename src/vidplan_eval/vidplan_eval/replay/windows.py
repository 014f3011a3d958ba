# SPDX-License-Identifier: Apache-2.0
"""Stretches of a recording without gaps, one after the other, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

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
    back = tuple(ages) or tuple(range(history - 1, -1, -1))
    before = 0 if ages else history - 1
    kept: deque[Observation] = deque(maxlen=max(back) + frames)
    joined: deque[bool] = deque(maxlen=before + frames - 1)
    first = None
    for count, seen in enumerate(observations):
        first = first or seen
        if kept:
            joined.append(abs(seen.stamp_s - kept[-1].stamp_s - period_s) <= 0.5 * period_s)
        kept.append(seen)
        index, at = count - frames + 1, len(kept) - frames
        if index >= before and all(joined):
            past = [kept[at - age] if age <= at else first for age in back]
            yield ObservationWindow(index, past, list(kept)[at:])


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
    start = window.future[0].position
    return any(np.linalg.norm(seen.position - start) > MOTION_M for seen in window.future)


def kind_of(window: ObservationWindow) -> str:
    """Return which of KINDS a moment is, by what then happened.

    Contact is where fingers move, or rest on something that keeps them from closing.
    """
    closed = np.array([seen.closedness for seen in window.future])
    works = bool(np.ptp(closed) > FINGERS_MOVE)
    holds = HOLDING[0] < closed[0] < HOLDING[1]
    if works or (holds and moves(window)):
        return CONTACT
    return FREE if moves(window) else STILL
