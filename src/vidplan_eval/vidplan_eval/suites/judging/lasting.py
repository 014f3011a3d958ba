# SPDX-License-Identifier: Apache-2.0
"""When a state had lasted long enough to count, as witnesses of an episode judge it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Lasting:
    """A state that counts once it has lasted `span_s`, no later than `limit_s` after the start.

    Attributes:
        began_s: when the episode began, s.
        counted_s: after the start, when it counted first; None where it never did.
    """

    began_s: float
    span_s: float
    limit_s: float
    counted_s: float | None = None
    _since_s: float | None = None

    def see(self, time_s: float, holds: bool) -> None:
        """Take in a moment, not earlier than the one before."""
        if not holds:
            self._since_s = None
            return
        self._since_s = time_s if self._since_s is None else self._since_s
        after_s = time_s - self.began_s
        late = after_s > self.limit_s + 1e-6
        if self.counted_s is None and not late and time_s - self._since_s >= self.span_s - 1e-6:
            self.counted_s = after_s

    def counted_for(self, time_s: float, span_s: float) -> bool:
        """Whether it counted that long ago or longer."""
        if self.counted_s is None:
            return False
        return time_s - self.began_s >= self.counted_s + span_s - 1e-6
