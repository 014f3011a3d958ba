# SPDX-License-Identifier: Apache-2.0
"""The graph with the planner that only moves, through launch instead of `vidplan up`.

python -m tests.vidplan.bringup.moving.launched [name:=value ...]
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from launch.actions import IncludeLaunchDescription
from launch.launch_description_source import LaunchDescriptionSource

from launch import LaunchDescription, LaunchService
from tests.vidplan.bringup.moving.graph import moving_graph, python_path
from tests.vidplan.bringup.moving.up import LIMITS
from vidplan.bringup.description import Graph
from vidplan.bringup.launching import describe


def install(graph: Graph, prefix: Path) -> None:
    """Make packages of what is no package, because launch starts nothing else."""
    for process in graph.processes:
        if process.package != 'no_such_package':
            continue
        index = prefix / 'share/ament_index/resource_index/packages'
        index.mkdir(parents=True, exist_ok=True)
        (index / process.package).touch()
        program = prefix / 'lib' / process.package / process.executable
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m {process.module} "$@"\n')
        program.chmod(0o755)


def main() -> int:
    """Launch until a signal."""
    graph = moving_graph({'planning_server': LIMITS})
    with tempfile.TemporaryDirectory() as folder:
        install(graph, Path(folder))
        os.environ['AMENT_PREFIX_PATH'] = f'{folder}:{os.environ["AMENT_PREFIX_PATH"]}'
        os.environ['PYTHONPATH'] = python_path()
        given = [tuple(word.split(':=')) for word in sys.argv[1:]]
        source = LaunchDescriptionSource(describe(graph))
        service = LaunchService()
        service.include_launch_description(
            LaunchDescription([IncludeLaunchDescription(source, launch_arguments=given)])
        )
        return int(service.run())


if __name__ == '__main__':
    sys.exit(main())
