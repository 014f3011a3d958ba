# SPDX-License-Identifier: Apache-2.0
"""The observations on their way into a task: newest history, and why there may be none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from vidplan.tasks.endings import Ending, TaskEnd
from vidplan_core.data.history import History
from vidplan_core.data.observation import Observation
from vidplan_core.errors import ObservationError


class WakeEvent:
    """Wakes the one thread that waits; what is set before the wait is not lost."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Wake the waiting thread."""
        self._event.set()

    def wait(self, timeout_s: float) -> None:
        """Return when it is set, at the latest after `timeout_s` of wall-clock time."""
        self._event.wait(timeout_s)
        self._event.clear()


class ObservationFeed:
    """Keeps the history and judges its freshness; thread-safe.

    Ages count on the node's clock; on top of it a steady clock notices when everything stands
    still, the node's clock included (a dead simulation, a paused bag).
    """

    def __init__(
        self,
        history: History,
        *,
        now_s: Callable[[], float],
        max_age_s: float,
        max_silence_s: float,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._history = history
        self._now_s = now_s
        self._max_age_s = max_age_s
        self._max_silence_s = max_silence_s
        self._steady_s = steady_s
        self._lock = threading.Lock()
        self._heard_s: float | None = None
        self._invalid = ''
        self._source_problem = ''
        self._doubt = ''

    def push(self, observation: Observation) -> None:
        """Take in a good observation."""
        with self._lock:
            self._history.push(observation)
            self._heard_s = self._steady_s()
            self._invalid = ''

    def begin_episode(self) -> None:
        """Let the newest observation be the first of what a task remembers."""
        with self._lock:
            self._history.begin_episode()

    def reject(self, reason: str) -> None:
        """Note that an observation came that cannot be used."""
        with self._lock:
            self._invalid = reason

    def note_source(self, problem: str) -> None:
        """Note what the stitcher says about its inputs; empty when all is well."""
        with self._lock:
            self._source_problem = problem

    def note_doubt(self, doubt: str) -> None:
        """Note why the stitcher does not believe the views; empty when it does again."""
        with self._lock:
            self._doubt = doubt

    @property
    def source_problem(self) -> str:
        """What the stitcher last said about its inputs; empty when all was well."""
        with self._lock:
            return self._source_problem

    @property
    def newest(self) -> Observation | None:
        """The newest observation, if any."""
        with self._lock:
            return self._history.newest

    @property
    def age_s(self) -> float:
        """Age of the newest observation on the node's clock [s]; infinite without one."""
        newest = self.newest
        return float('inf') if newest is None else self._now_s() - newest.stamp_s

    def sample(self) -> list[Observation] | None:
        """Return the history at the model's frame rate, oldest first; None while too short."""
        with self._lock:
            try:
                return self._history.sample()
            except ObservationError:
                return None

    def problem(self) -> TaskEnd | None:
        """Return why no task can go on, None when observations are fresh."""
        with self._lock:
            newest, heard_s = self._history.newest, self._heard_s
            invalid, source = self._doubt or self._invalid, self._source_problem
        if invalid:
            return TaskEnd(Ending.INVALID_OBSERVATION, invalid)
        because = f': {source}' if source else '; is the stitcher running?'
        if newest is None or heard_s is None:
            return TaskEnd(Ending.NO_OBSERVATION, f'no observation has ever arrived{because}')
        age_s = self._now_s() - newest.stamp_s
        if age_s > self._max_age_s:
            return TaskEnd(
                Ending.STALE_OBSERVATION,
                f'the newest observation is {age_s:.2f} s old, at most {self._max_age_s:.2f} s '
                f'is planned from{because}',
            )
        silence_s = self._steady_s() - heard_s
        if silence_s > self._max_silence_s:
            return TaskEnd(
                Ending.STALE_OBSERVATION,
                f'no observation for {silence_s:.1f} s while the clock stands still{because}',
            )
        return None
