# SPDX-License-Identifier: Apache-2.0
"""Priority among sessions: Linux shares the cores among these before it shares them within."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

PROC = Path('/proc')


def hand_down(pid: int, proc: Path = PROC) -> None:
    """Give the session of a child our own session's priority, where the kernel has any.

    A new session begins with none: beside busy programs the planner would then wait for cores
    although whoever started it has a high priority. Nothing happens where that is not allowed,
    or where the kernel has the file but says nothing in it (autogroups switched off at boot).
    """
    with suppress(OSError):
        if said := (proc / 'self/autogroup').read_text(encoding='ascii').split():
            (proc / str(pid) / 'autogroup').write_text(said[-1], encoding='ascii')
