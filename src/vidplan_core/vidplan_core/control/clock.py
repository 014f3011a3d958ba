# SPDX-License-Identifier: Apache-2.0
"""Notices when a clock is set, by a steady one beside it."""

from __future__ import annotations

from collections.abc import Callable

# Clocks drift against each other, and two readings are not one; more than this is a step, s.
_STEP_S = 0.05
# Readings that something came between, such as another process, say nothing, s.
_APART_S = 0.01

Clock = Callable[[], float]


class ClockWatch:
    """Compares what two clocks say has passed since the last look."""

    def __init__(self, clock: Clock, steady: Clock) -> None:
        """Watch a clock by a steady one; both return s."""
        self._clock, self._steady = clock, steady
        self._last: tuple[float, float] | None = None

    def step(self) -> float:
        """Return by how much the clock was set since the last look, 0 for not at all, s."""
        before_s = self._steady()
        now_s = self._clock()
        steady_s = self._steady()
        if steady_s - before_s > _APART_S:
            return 0.0
        last, self._last = self._last, (now_s, steady_s)
        if last is None:
            return 0.0
        step_s = (now_s - last[0]) - (steady_s - last[1])
        return step_s if abs(step_s) > _STEP_S else 0.0
