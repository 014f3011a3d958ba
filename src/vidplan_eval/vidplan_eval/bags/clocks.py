# SPDX-License-Identifier: Apache-2.0
"""Stamps of a recording, checked against when each message was recorded.

A stamp is a claim of the computer that made the message. One may be zero or years off at start-up,
a whole device may have another clock, and a restarted simulation begins again at zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

Times = NDArray[np.float64]

# Neighbours that a stamp is compared with, and how far it may be off them, s.
NEIGHBOURS, OUTLIER_S = 31, 2.0
# Devices may send late; what differs by more has a clock of its own, s.
OTHER_CLOCK_S = 1.0
# A clock that goes back by more has been set or was started again, s.
BACK_S = 0.5


@dataclass(frozen=True)
class Timed:
    """Stamps of one topic and when its messages were recorded; both (K,) s, in recorded order."""

    stamps_s: Times
    logged_s: Times


@dataclass(frozen=True)
class Clocked:
    """Times of the messages of every topic on one clock.

    Attributes:
        times_s: by topic, (K,) s.
        trusted: by topic, (K,) whether the message has a time that makes sense.
        notes: what was corrected, in words.
    """

    times_s: dict[str, Times]
    trusted: dict[str, NDArray[np.bool_]]
    notes: list[str]


def on_one_clock(topics: Mapping[str, Timed]) -> Clocked:
    """Return times on the clock that most topics share.

    A stamp that jumps away from its neighbours is not trusted. A topic whose clock is another is
    shifted by the median difference: what counts is when its messages arrive. Where stamps go
    back, or are missing, the times of recording serve for all.
    """
    trusted = {name: _near_neighbours(timed) for name, timed in topics.items()}
    whole = {name: timed for name, timed in topics.items() if trusted[name].any()}
    ahead_s = {
        name: float(np.median((timed.stamps_s - timed.logged_s)[trusted[name]]))
        for name, timed in whole.items()
    }
    back = [n for n, timed in whole.items() if _goes_back(timed.stamps_s[trusted[n]])]
    unstamped = [n for n, timed in whole.items() if len(timed.stamps_s) > 1 and _still(timed)]
    if back or unstamped:
        words = 'go back' if back else 'stand still'
        note = f'stamps of {", ".join(back or unstamped)} {words}: the times of recording count'
        times_s = {name: timed.logged_s for name, timed in topics.items()}
        return Clocked(times_s, {n: np.ones_like(v, bool) for n, v in times_s.items()}, [note])
    common_s = float(np.median(list(ahead_s.values()))) if ahead_s else 0.0
    times_s, notes = {}, []
    for name, timed in topics.items():
        shift_s = ahead_s.get(name, common_s) - common_s
        other = abs(shift_s) > OTHER_CLOCK_S
        times_s[name] = timed.stamps_s - (shift_s if other else 0.0)
        if other:
            words = 'ahead of' if shift_s > 0 else 'behind'
            notes.append(
                f'the clock of {name} is {abs(shift_s):.1f} s {words} the others: '
                'when its messages arrived counts'
            )
    return Clocked(times_s, trusted, notes)


def _near_neighbours(timed: Timed) -> NDArray[np.bool_]:
    ahead_s = timed.stamps_s - timed.logged_s
    if not len(ahead_s):
        return np.zeros(0, bool)
    usual_s = median_filter(ahead_s, min(NEIGHBOURS, len(ahead_s)), mode='nearest')
    return np.asarray(np.abs(ahead_s - usual_s) <= OUTLIER_S)


def _goes_back(stamps_s: Times) -> bool:
    return bool((np.diff(stamps_s) < -BACK_S).any())


def _still(timed: Timed) -> bool:
    """Whether no message has a time of its own, though they were recorded one after the other."""
    return bool(np.ptp(timed.stamps_s) == 0.0 and np.ptp(timed.logged_s) > 0.0)
