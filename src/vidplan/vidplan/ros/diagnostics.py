# SPDX-License-Identifier: Apache-2.0
"""`/diagnostics` with rates, latencies and staleness, measured on the steady clock."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from vidplan.ros.qos import DIAGNOSTICS

OK = DiagnosticStatus.OK
WARN = DiagnosticStatus.WARN
ERROR = DiagnosticStatus.ERROR
STALE = DiagnosticStatus.STALE

#: Key under which the stitcher says why it does not believe the views; empty when it does.
DOUBT = 'doubt'


@dataclass(frozen=True)
class Status:
    """One line of diagnostics: a level, a sentence and named values."""

    level: bytes
    message: str
    values: dict[str, object] = field(default_factory=dict)


class RateMeter:
    """Counts events and measures their rate over the last seconds."""

    def __init__(self, window_s: float = 3.0, now: Callable[[], float] = time.monotonic) -> None:
        self._window_s = window_s
        self._now = now
        self._times: deque[float] = deque()
        self._last_s: float | None = None
        self.count = 0

    def tick(self) -> None:
        """Count one event, now."""
        self._last_s = self._now()
        self._times.append(self._last_s)
        self.count += 1
        self._forget()

    @property
    def hz(self) -> float:
        """Rate over the window, Hz; 0 with fewer than two events in it."""
        self._forget()
        if len(self._times) < 2:
            return 0.0
        return (len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-9)

    @property
    def age_s(self) -> float:
        """Time since the last event, s; infinite before the first."""
        return float('inf') if self._last_s is None else self._now() - self._last_s

    def _forget(self) -> None:
        oldest = self._now() - self._window_s
        while self._times and self._times[0] < oldest:
            self._times.popleft()


class DurationMeter:
    """Keeps the last durations and their percentiles."""

    def __init__(self, size: int = 200) -> None:
        self._durations_s: deque[float] = deque(maxlen=size)

    def add(self, duration_s: float) -> None:
        """Keep one duration, s."""
        self._durations_s.append(duration_s)

    def percentile_s(self, percent: float) -> float:
        """Return a percentile (nearest rank) of the kept durations, s; NaN without any."""
        if not self._durations_s:
            return float('nan')
        ordered = sorted(self._durations_s)
        return ordered[round(percent / 100.0 * (len(ordered) - 1))]

    def values(self, name: str) -> dict[str, object]:
        """Return median and 99th percentile under names that start with `name`."""
        return {f'{name}_p50_s': self.percentile_s(50.0), f'{name}_p99_s': self.percentile_s(99.0)}


class Diagnostics:
    """Publishes the statuses of a node on `/diagnostics`, once a second of steady time."""

    def __init__(self, node: Node, period_s: float = 1.0) -> None:
        self._node = node
        self._tasks: dict[str, Callable[[], Status]] = {}
        self._publisher = node.create_publisher(DiagnosticArray, 'diagnostics', DIAGNOSTICS)
        # Steady: a paused simulation or bag must not silence the diagnostics.
        self._timer = node.create_timer(
            period_s, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def add(self, name: str, task: Callable[[], Status]) -> None:
        """Publish what `task` returns as `<node>: <name>`."""
        self._tasks[name] = task

    def publish(self) -> None:
        """Publish all statuses now."""
        array = DiagnosticArray()
        array.header.stamp = self._node.get_clock().now().to_msg()
        array.status = [self._message(name, task()) for name, task in self._tasks.items()]
        self._publisher.publish(array)

    def _message(self, name: str, status: Status) -> DiagnosticStatus:
        return DiagnosticStatus(
            level=status.level,
            name=f'{self._node.get_name()}: {name}',
            message=status.message,
            hardware_id=self._node.get_fully_qualified_name(),
            values=[KeyValue(key=key, value=_text(value)) for key, value in status.values.items()],
        )


def _text(value: object) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)
