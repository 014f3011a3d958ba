# SPDX-License-Identifier: Apache-2.0
"""Priority among sessions: Linux shares the cores among these before it shares them within."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def hand_down(pid: int) -> None:
    """Give the session of a child our own session's priority, where the kernel has any.

    A new session begins with none: beside busy programs the planner would then wait for cores
    although whoever started it has a high priority. Nothing happens where that is not allowed.
    """
    with suppress(OSError, IndexError):
        nice = Path('/proc/self/autogroup').read_text(encoding='ascii').split()[-1]
        Path(f'/proc/{pid}/autogroup').write_text(nice, encoding='ascii')
