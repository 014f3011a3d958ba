# SPDX-License-Identifier: Apache-2.0
"""Progress of long work: rate and remaining time, on a terminal or in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


class ProgressLog:
    """Prints `label  done/total  rate  remaining  note`, at most every `every_s` seconds."""

    def __init__(
        self,
        label: str,
        total: int,
        start: int = 0,
        every_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label, self._total, self._start = label, total, start
        self._every_s, self._clock = every_s, clock
        self._began = clock()
        self._printed = float('-inf')

    def update(self, done: int, note: str = '') -> None:
        """Report `done` of `total`; the last one is always printed."""
        now = self._clock()
        if now - self._printed < self._every_s and done < self._total:
            return
        self._printed = now
        rate = max(done - self._start, 0) / max(now - self._began, 1e-9)
        left = (self._total - done) / rate if rate > 0 else float('nan')
        line = (
            f'{self._label}  {done}/{self._total}  {rate:.3g}/s  {left / 60:.1f} min left  {note}'
        )
        print(line, file=sys.stderr, flush=True)
