# SPDX-License-Identifier: Apache-2.0
"""How a goal's progress looks in a terminal, and in a log file."""

from __future__ import annotations

import math
import os
import shutil
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

# From this time ratio on, the arm counts as slowed down.
SLOWED = 1.02

PHASES = ('observing', 'planning', 'moving', 'coming to rest')


def coloured() -> bool:
    """Whether colours are wanted: on a terminal, and not with NO_COLOR (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get('NO_COLOR')


def open_in_browser(path: Path) -> None:
    """Show a file that was written, where there is a browser; say so where there is none."""
    import webbrowser

    if not (path.exists() and webbrowser.open(path.absolute().as_uri())):
        print(f'nothing here could open {path}', file=sys.stderr)


class StatusLine:
    """One line that changes in a terminal; one line per change elsewhere. A context manager."""

    def __init__(self) -> None:
        self._status: Any = None
        self._last: object = ''
        if sys.stdout.isatty():
            from rich.console import Console

            self._status = Console().status('')

    def __enter__(self) -> StatusLine:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def say(self, words: str) -> None:
        """Show what is going on now."""
        self._show(words, words)

    def feedback(self, feedback: Any) -> None:
        """Show a PlanTask feedback."""
        # In a file, a line for every cycle and phase is enough.
        self._show(feedback_line(feedback), (feedback.phase, feedback.cycle))

    def _show(self, words: str, key: object) -> None:
        if self._status is not None:
            # Longer than the terminal, it would wrap and leave lines behind.
            self._status.update(words[: shutil.get_terminal_size().columns - 3])
        elif key != self._last:
            print(words, flush=True)
        self._last = key


def feedback_line(feedback: Any) -> str:
    """Return a PlanTask feedback as one line."""
    phase = PHASES[feedback.phase] if feedback.phase < len(PHASES) else str(feedback.phase)
    parts = [f'{feedback.elapsed_s:5.1f} s', f'{phase:<14}', f'cycle {feedback.cycle:3d}']
    if not math.isnan(feedback.score):
        parts.append(f'score {feedback.score:+.3f}')
        parts.append(f'candidate {feedback.best_candidate}')
        parts.append(f'planned in {feedback.plan_latency_s:.2f} s')
    if feedback.time_ratio > SLOWED:
        parts.append(f'the arm takes {feedback.time_ratio:.2f} times as long')
    if feedback.target:
        parts.append(f"target '{feedback.target}'")
    return '  '.join(parts)
