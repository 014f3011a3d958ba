# SPDX-License-Identifier: Apache-2.0
"""The simulated cell and the real processes of its graph, with a planner that only moves.

python -m tests.vidplan.bringup.moving_graph [real_time_factor]     until Ctrl-C
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from vidplan.bringup.description import Entry, Graph
from vidplan.bringup.graph import CELL
from vidplan.bringup.process import ProcessGroup

REPOSITORY = Path(__file__).resolve().parents[3]


def moving_graph(parameters: tuple[tuple[str, Entry], ...] = ()) -> Graph:
    """Return the cell's graph; its planning server gets some parameters beside its own."""
    processes = tuple(
        replace(
            process,
            package='no_such_package',
            module='tests.vidplan.bringup.moving_planner',
            parameters=process.parameters + parameters,
        )
        if process.executable == 'planning_server'
        else process
        for process in CELL.processes
    )
    return replace(CELL, processes=processes)


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
