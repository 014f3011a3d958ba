# SPDX-License-Identifier: Apache-2.0
"""Which of the pictures that cameras send are looked at: many come, few are needed."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from vidplan_core.errors import ConfigError

# A picture counts as due this much before its time, as a share of the period.
EARLY = 0.25
# How late pictures come is the least of so many: they may have waited for us, too.
_LATENESSES = 8


@dataclass
class _View:
    """What came of one view last: its stamp, s, when, by a steady clock, s, and how late."""

    stamp_s: float = float('-inf')
    taken_s: float = float('-inf')
    late_s: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENESSES))


class FrameDemand:
    """Says of which views the next picture is needed; what else comes need not be read.

    One picture of every view is needed per period, taken when it is due or at most a quarter of
    the period before. Where views, stamps or clocks are not what they were, one is asked for
    within `longest_s` all the same, so that silence and ages go on being noticed.
    """

    def __init__(self, views: Sequence[str], period_s: float, longest_s: float) -> None:
        """Need all views at first, then one set per period.

        Args:
            views: their names.
            period_s: of the sets, s.
            longest_s: longest time without a look at a view, by a steady clock, s.

        Raises:
            ConfigError: no views, or a time that is not above 0.
        """
        if not views or min(period_s, longest_s) <= 0:
            raise ConfigError(
                f'needs views and times above 0, got {list(views)}, {period_s} and {longest_s} s'
            )
        self._views = {view: _View() for view in views}
        self._early_s, self._longest_s = EARLY * period_s, longest_s
        self._due_s = float('-inf')

    @property
    def complete(self) -> bool:
        """Whether a picture of every view came since it was due."""
        return all(self._has(view) for view in self._views)

    def take(self, view: str, stamp_s: float, now_s: float, steady_s: float) -> None:
        """Note that a picture was read.

        Args:
            view: whose.
            stamp_s: of the picture, s.
            now_s: by the clock of the stamps, s.
            steady_s: by a clock that never stops, s.
        """
        seen = self._views[view]
        if stamp_s < seen.stamp_s:  # time began anew
            self._due_s = float('-inf')
            for other in self._views.values():
                other.stamp_s = float('-inf')
                other.late_s.clear()
        seen.stamp_s, seen.taken_s = stamp_s, steady_s
        seen.late_s.append(now_s - stamp_s)

    def wants(self, view: str, now_s: float, steady_s: float) -> bool:
        """Whether the next picture of a view is to be read; times as for `take`."""
        return self.wait_s(view, now_s, steady_s) <= 0.0

    def wait_s(self, view: str, now_s: float, steady_s: float) -> float:
        """Time until a picture of a view is to be read, s; times as for `take`."""
        seen = self._views[view]
        longest_s = seen.taken_s + self._longest_s - steady_s
        if self._has(view):
            return longest_s
        late_s = min(seen.late_s, default=0.0)
        return min(longest_s, self._due_s + late_s - now_s)

    def next_wait_s(self, now_s: float, steady_s: float) -> float:
        """Time until the first view is to be read that is not yet, s; infinite with none."""
        waits_s = (self.wait_s(view, now_s, steady_s) for view in self._views)
        return min((wait_s for wait_s in waits_s if wait_s > 0.0), default=float('inf'))

    def need(self, due_s: float) -> None:
        """Need the next pictures at a time of their stamps, s."""
        self._due_s = due_s

    def need_others(self) -> None:
        """Need newer pictures than all that came, which did not make a set."""
        newest_s = max(view.stamp_s for view in self._views.values())
        self._due_s = newest_s + 2.0 * self._early_s

    def _has(self, view: str) -> bool:
        stamp_s = self._views[view].stamp_s
        return math.isfinite(stamp_s) and stamp_s >= self._due_s - self._early_s
