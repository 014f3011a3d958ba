# SPDX-License-Identifier: Apache-2.0
"""When the gripper is commanded: real grippers are slow and must not be flooded."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidplan_core.control.commands import GripperEvent
from vidplan_core.errors import ConfigError
from vidplan_core.knobs import check_knobs, knob

BINARY = 'binary'
POSITION = 'position'


@dataclass(frozen=True)
class GripperRule:
    """How planned closedness becomes commands, which are sent on change only.

    A closedness is 0 for open and 1 for closed.
    """

    mode: str = knob(
        BINARY,
        'binary opens and closes wholly, position follows the planned closedness',
        choices=(BINARY, POSITION),
    )
    close_above: float = knob(
        0.6, 'binary: an open gripper closes above this planned closedness', low=0.0, high=1.0
    )
    open_below: float = knob(
        0.4, 'binary: a closed gripper opens below this planned closedness', low=0.0, high=1.0
    )
    deadband: float = knob(
        0.02, 'position: smaller changes of closedness are not sent', low=0.0, high=1.0
    )

    def __post_init__(self) -> None:
        check_knobs(self)
        if self.open_below > self.close_above:
            raise ConfigError(
                f'open_below is {self.open_below!r}; allowed: up to close_above, '
                f'{self.close_above!r}'
            )

    def next(self, present: float, planned: float) -> float:
        """Return what a gripper at `present` shall be commanded when `planned` is due."""
        if self.mode == POSITION:
            return planned if abs(planned - present) > self.deadband else present
        if planned > self.close_above:
            return 1.0
        if planned < self.open_below:
            return 0.0
        return present

    def events(
        self, present: float, times_s: Iterable[float], closedness: Iterable[float]
    ) -> tuple[GripperEvent, ...]:
        """Return the changes within a chunk, whose frames are due at `times_s`."""
        found = []
        for time_s, planned in zip(times_s, closedness, strict=True):
            command = self.next(present, float(planned))
            if command != present:
                found.append(GripperEvent(float(time_s), command))
                present = command
        return tuple(found)


class GripperSchedule:
    """The gripper's last command, and the next one with its time."""

    def __init__(self) -> None:
        self._commanded: float | None = None
        self._measured: float | None = None
        self._events: tuple[GripperEvent, ...] = ()

    def measure(self, closedness: float) -> None:
        """Take in the measured closedness, which counts until the first command."""
        self._measured = closedness

    def replace(self, events: tuple[GripperEvent, ...], from_s: float = -math.inf) -> None:
        """Forget what was scheduled from a time on; schedule this.

        What is due before a motion takes over belongs to the one before: were it forgotten, plans
        that come early would put off the gripper for ever.
        """
        self._events = (*self._before(from_s), *events)

    def present(self, fallback: float = 0.0, before_s: float = -math.inf) -> float:
        """Return the closedness commanded last, up to a time to come; else measured, or given."""
        if events := self._before(before_s):
            return events[-1].closedness
        if self._commanded is not None:
            return self._commanded
        return fallback if self._measured is None else self._measured

    def pop_due(self, now_s: float) -> float | None:
        """Return the closedness to command now, or None when nothing changes."""
        due = [event for event in self._events if event.time_s <= now_s]
        if not due:
            return None
        self._events = self._events[len(due) :]
        self._commanded = due[-1].closedness
        return self._commanded

    def _before(self, time_s: float) -> tuple[GripperEvent, ...]:
        return tuple(event for event in self._events if event.time_s < time_s)

    def at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scheduled closedness (K,) at times (K,)."""
        values = np.full(np.shape(times_s), self.present())
        for event in self._events:
            values[times_s >= event.time_s] = event.closedness
        return values
