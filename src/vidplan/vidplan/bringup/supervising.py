# SPDX-License-Identifier: Apache-2.0
"""Looks after the processes of a graph, and starts again what is to be."""

from __future__ import annotations

from collections.abc import Callable

from vidplan.bringup.process import Child, ProcessGroup
from vidplan.bringup.respawn import OnEnd


class Supervisor:
    """Notices which processes have ended, and does what follows.

    Attributes:
        failed: whether one has ended by failure that does not start again.
    """

    def __init__(self, group: ProcessGroup, say: Callable[[str], None]) -> None:
        """Look after a group; `say` hears who ended, and what follows."""
        self._group, self._say = group, say
        self.failed = False

    def look(self) -> bool:
        """Do what is due, from time to time; return whether the graph goes on."""
        ends = [self._on_end(child) for child in self._group.newly_ended()]
        return OnEnd.ALL_END not in ends and self._group.start_due()

    def _on_end(self, child: Child) -> OnEnd:
        words = f'{child.name} ended with exit code {child.exit_code}'
        then = self._group.on_end(child)
        if then is OnEnd.STARTS_AGAIN:
            words += f', and starts again in {self._group.start_again(child):g} s'
        else:
            self.failed = self.failed or child.exit_code != 0
            words += f': {then.value}'
        self._say(words)
        return then
