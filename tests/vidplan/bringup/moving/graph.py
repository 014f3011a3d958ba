# SPDX-License-Identifier: Apache-2.0
"""The simulated cell and the real processes of its graph, with a planner that only moves.

python -m tests.vidplan.bringup.moving.graph [real_time_factor]     until Ctrl-C
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from vidplan.bringup.description import Entry, Graph, Process
from vidplan.bringup.graph import CELL
from vidplan.bringup.process import ProcessGroup

REPOSITORY = Path(__file__).resolve().parents[4]


# What stands for the processes of the cell's graph.
_MODULES = {
    'planning_server': 'tests.vidplan.bringup.moving.planner',
    'cell': 'tests.vidplan.bringup.moving.freezing_cell',
}


def moving_graph(parameters: Mapping[str, tuple[Entry, ...]] | None = None) -> Graph:
    """Return the cell's graph; some processes, by name, get parameters beside their own."""
    return replace(
        CELL, processes=tuple(_changed(one, parameters or {}) for one in CELL.processes)
    )


def _changed(process: Process, parameters: Mapping[str, tuple[Entry, ...]]) -> Process:
    more = process.parameters + parameters.get(process.executable, ())
    if process.executable not in _MODULES:
        return replace(process, parameters=more)
    module = _MODULES[process.executable]
    return replace(process, package='no_such_package', module=module, parameters=more)


def python_path() -> str:
    """Where the processes find the planner."""
    return f'{REPOSITORY}:{os.environ.get("PYTHONPATH", "")}'


def main() -> int:
    """Run the graph."""
    factor = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    os.environ['PYTHONPATH'] = python_path()
    values = CELL.values({'real_time_factor': factor})

    def say(name: str, line: str) -> None:
        print(f'[{name}] {line}', flush=True)

    with ProcessGroup(moving_graph(), values, say):
        stop.wait()
    return 0


if __name__ == '__main__':
    sys.exit(main())
