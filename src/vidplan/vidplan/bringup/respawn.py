# SPDX-License-Identifier: Apache-2.0
"""What follows when a process ends although nobody asked: it starts again, or all end.

What holds nothing that another would miss is started again (`respawn`, at most `respawn_tries`
times each): the stitcher, whose observations are young or none, and the planning server, without
which the arm comes to rest by itself. The adapter knows what the arm was sent, and `fci` and the
cell are the arm: without these all end, and somebody looks. A recording is not needed to move.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from vidplan.bringup.description import Graph, GraphSettings, Process, Setting
from vidplan_core.errors import ConfigError

#: Exit status of a process that was asked for what cannot be done: neither can the next one.
EXIT_CONFIG = 2


class OnEnd(Enum):
    """What the end of a process means for the others."""

    ALL_END = 'all end'
    STARTS_AGAIN = 'starts again'
    OTHERS_GO_ON = 'the others go on'


def on_end(process: Process, settings: Mapping[str, Setting]) -> OnEnd:
    """Return what follows the end of a process that nobody asked to end."""
    if process.executable in respawned(settings):
        return OnEnd.STARTS_AGAIN
    return OnEnd.ALL_END if process.is_required(settings) else OnEnd.OTHERS_GO_ON


def starts_again(
    process: Process, settings: Mapping[str, Setting], exit_code: int, ends: int
) -> bool:
    """Return whether a process is started again.

    Args:
        process: which has ended.
        settings: of its graph.
        exit_code: minus the number of the signal that ended it. After 0 it was asked to end, by
            its lifecycle or a signal from elsewhere.
        ends: how often it has ended so far, this time included.
    """
    failed = exit_code not in (0, EXIT_CONFIG)
    chosen = on_end(process, settings) is OnEnd.STARTS_AGAIN
    return chosen and failed and ends <= int(settings['respawn_tries'])


def respawned(settings: Mapping[str, Setting]) -> set[str]:
    """Return the executables that start again."""
    return {name for word in str(settings['respawn']).split(',') if (name := word.strip())}


def check_respawn(graph: Graph, settings: GraphSettings) -> None:
    """Raise ConfigError for given names that no process has, and numbers without sense."""
    known = [process.executable for process in graph.processes]
    unknown = sorted(respawned(settings) - set(known))
    if unknown and 'respawn' in settings.given:
        raise ConfigError(f"respawn names '{unknown[0]}'; {graph.name} has {', '.join(known)}")
    tries, delay_s = int(settings['respawn_tries']), float(settings['respawn_delay_s'])
    if not 0 <= tries <= 100:
        raise ConfigError(f'respawn_tries is {tries}; allowed: 0 .. 100')
    if not 0.1 <= delay_s <= 60.0:
        raise ConfigError(f'respawn_delay_s is {delay_s:g}; allowed: 0.1 .. 60')
