# SPDX-License-Identifier: Apache-2.0
"""Work that may take a share of the time only: what comes too soon is left out."""

from __future__ import annotations

import time
from collections.abc import Callable


class ShareOfTime:
    """Lets work be done where a rest has followed the one before.

    Attributes:
        share: most of the time that the work takes, above 0; 1 is without a rest.
    """

    def __init__(self, share: float, now_s: Callable[[], float] = time.monotonic) -> None:
        """Use another steady clock than the machine's in tests."""
        self.share, self._now_s = share, now_s
        self._again_s = -float('inf')

    def do(self, work: Callable[[], None]) -> None:
        """Do the work, unless the last took so long that it is not its turn yet."""
        began_s = self._now_s()
        if began_s < self._again_s:
            return
        work()
        self._again_s = began_s + (self._now_s() - began_s) / self.share
