# SPDX-License-Identifier: Apache-2.0
"""A polite end of long work: the first signal asks, a later one insists."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Ctrl-C in a terminal reaches a process twice: from the terminal and from its launcher.
ONE_PRESS_S = 3.0


class Interruption:
    """While entered, SIGINT and SIGTERM set `signal` instead of ending the process.

    A signal some seconds later does what it would have done. Only the main thread can catch
    signals; in any other this does nothing.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._asked_s = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._ask) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if not self.signal:
            self.signal, self._asked_s = number, time.monotonic()
            print('stopping after this iteration; again to stop at once', flush=True)
        elif time.monotonic() - self._asked_s > ONE_PRESS_S:
            self._restore()
            signal.raise_signal(number)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
