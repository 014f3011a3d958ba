# SPDX-License-Identifier: Apache-2.0
"""Brings a robot back after an error: step by step, with a bounded number of tries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

# A step calls this when it has ended: '' when it did what it should, else what went wrong.
Done = Callable[[str], None]


@dataclass(frozen=True)
class Step:
    """One thing to ask of the driver.

    Attributes:
        name: for messages.
        start: begins it; returns at once.
        timeout_s: longest time until it has ended, s.
    """

    name: str
    start: Callable[[Done], None]
    timeout_s: float = 5.0


class Recovery:
    """Goes through the steps in order; where one fails, begins again, so many times at most.

    Attributes:
        problem: how the last attempt failed, '' if it did not.
    """

    def __init__(
        self, steps: Sequence[Step], tries: int, on_end: Callable[[bool], None],
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        """Ask for nothing yet.

        Args:
            steps: in the order in which they must be done.
            tries: how often at most, from `begin` on, all of them are gone through.
            on_end: called with whether the robot is back.
            clock: steady time, s.
        """
        self._steps, self._tries, self._on_end, self._clock = tuple(steps), tries, on_end, clock
        self._running: int | None = None
        self._token = self._tried = 0
        self._deadline_s = 0.0
        self.problem = ''

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return self._running is not None

    def begin(self) -> bool:
        """Begin with the first step; returns False where it is under way already."""
        if self.running:
            return False
        self._tried, self.problem = 1, ''
        self._start(0)
        return True

    def poll(self) -> None:
        """Give up a step that takes too long; to be called regularly."""
        if self._running is not None and self._clock() > self._deadline_s:
            step = self._steps[self._running]
            self._on_done(self._token, f'no answer within {step.timeout_s:.0f} s')

    def _start(self, index: int) -> None:
        self._running = index
        self._token += 1
        step = self._steps[index]
        self._deadline_s = self._clock() + step.timeout_s
        step.start(partial(self._on_done, self._token))

    def _on_done(self, token: int, problem: str) -> None:
        if token != self._token or self._running is None:
            return  # an answer that came after it was given up
        index = self._running
        if problem:
            self._fail(f'{self._steps[index].name}: {problem}')
        elif index + 1 < len(self._steps):
            self._start(index + 1)
        else:
            self._end(True)

    def _fail(self, problem: str) -> None:
        self.problem = f'{problem} (try {self._tried} of {self._tries})'
        if self._tried < self._tries:
            self._tried += 1
            self._start(0)
        else:
            self._end(False)

    def _end(self, back: bool) -> None:
        self._running = None
        self._token += 1
        if back:
            self.problem = ''
        self._on_end(back)
