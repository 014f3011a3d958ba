# SPDX-License-Identifier: Apache-2.0
"""Simulated time that follows the wall clock and never overtakes it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

_WINDOW_S = 3.0


class RealTimePacer:
    """Counts the ticks of simulated time that are due.

    A late process catches up, because a short delay should not be seen. What it is late by more
    than `max_backlog_s` is lost instead: simulated time then passes more slowly than real time,
    and every node on simulated time slows down with it.

    Args:
        tick_s: length of a tick of simulated time, s.
        factor: simulated seconds per real second, above 0 and at most 1.
        max_backlog_s: most simulated time to catch up with, s.
        now: a steady clock, s.
    """

    def __init__(
        self,
        tick_s: float,
        factor: float = 1.0,
        max_backlog_s: float = 0.1,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        if not (tick_s > 0.0 and 0.0 < factor <= 1.0 and max_backlog_s >= tick_s):
            raise ValueError(
                'needs tick_s > 0, 0 < factor <= 1 and max_backlog_s >= tick_s; got '
                f'{tick_s}, {factor}, {max_backlog_s}'
            )
        self._tick_s = tick_s
        self._factor = factor
        self._max_backlog_s = max_backlog_s
        self._now = now
        self._start_s = now()
        self._before_s = 0.0  # simulated time that was due when the factor was set last
        self._ticks = 0
        self._lost_s = 0.0
        self._recent: deque[tuple[float, int]] = deque([(self._start_s, 0)])

    @property
    def lost_s(self) -> float:
        """Simulated time by which the simulation has fallen behind for good, s."""
        return self._lost_s

    @property
    def wanted(self) -> float:
        """Simulated seconds per real second that are aimed at."""
        return self._factor

    def follow(self, factor: float) -> None:
        """Let simulated time pass by another factor from now on; what is due stays due."""
        now_s = self._now()
        self._before_s += (now_s - self._start_s) * self._factor
        self._start_s, self._factor = now_s, factor

    def due(self) -> int:
        """Return the number of ticks to simulate now, and count them as simulated."""
        now_s = self._now()
        backlog_s = self._backlog_s(now_s)
        if backlog_s > self._max_backlog_s:
            self._lost_s += backlog_s - self._max_backlog_s
            backlog_s = self._max_backlog_s
        # Half a tick of tolerance, or a timer's jitter would make none and then two due.
        ticks = max(0, int(backlog_s / self._tick_s + 0.5))
        self._ticks += ticks
        self._remember(now_s)
        return ticks

    def forgive(self) -> None:
        """Skip what is due now, after work such as a reset that no time should pass in."""
        self._lost_s += max(0.0, self._backlog_s(self._now()))

    def factor(self) -> float:
        """Return the measured simulated seconds per real second over the last seconds."""
        (first_s, first), (last_s, last) = self._recent[0], self._recent[-1]
        if last_s <= first_s:
            return 0.0
        return (last - first) * self._tick_s / (last_s - first_s)

    def _backlog_s(self, now_s: float) -> float:
        passed_s = self._before_s + (now_s - self._start_s) * self._factor
        return passed_s - self._lost_s - self._ticks * self._tick_s

    def _remember(self, now_s: float) -> None:
        self._recent.append((now_s, self._ticks))
        while len(self._recent) > 2 and self._recent[1][0] < now_s - _WINDOW_S:
            self._recent.popleft()
