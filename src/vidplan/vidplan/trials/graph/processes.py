# SPDX-License-Identifier: Apache-2.0
"""Processes of the planning graph, each started and ended by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from vidplan.bringup.description import Graph, Process
from vidplan.bringup.graph import PLANNING
from vidplan.bringup.process import Child, ProcessGroup
from vidplan.bringup.supervising import Supervisor
from vidplan.parameters.adapter import TOPIC

SERVER = 'planning_server'
# Modules that stand for processes.
_INSTEAD = {
    SERVER: 'vidplan.trials.graph.planner', 'adapter': 'vidplan.trials.graph.adapter'
}  # fmt: skip
# So often what is watched starts again: there may be many trials.
_TRIES = 100


class GraphProcesses:
    """Adapter, stitcher and planning server, with a planner that needs no models."""

    names = 'adapter', 'stitcher', SERVER

    def __init__(self, namespace: str, on_line: Callable[[str, str], None]) -> None:
        """Start nothing yet; `on_line` hears a process's name and what it says."""
        self._namespace, self._on_line = namespace, on_line
        self._groups: dict[str, ProcessGroup] = {}

    def start(self, name: str) -> None:
        """Start a process, again where it ran before."""
        if name in self._groups:
            self._groups[name].stop()
        process = _changed(next(one for one in PLANNING.processes if one.executable == name))
        graph = Graph(name, PLANNING.description, PLANNING.arguments, (process,))
        values = graph.values({'namespace': self._namespace, 'respawn_tries': _TRIES})
        self._groups[name] = ProcessGroup(graph, values, self._on_line).__enter__()

    def child(self, name: str) -> Child:
        """Return a process that was started."""
        return self._groups[name].children[0]

    def watch(self, name: str, say: Callable[[str], None]) -> Supervisor:
        """Return what looks after a process as `vidplan up` does; `say` hears of it."""
        return Supervisor(self._groups[name], say)

    def stop(self) -> None:
        """End all."""
        for group in self._groups.values():
            group.stop()


def _changed(process: Process) -> Process:
    if process.executable not in _INSTEAD:
        return process
    process = replace(process, package='no_such_package', module=_INSTEAD[process.executable])
    if process.executable == 'adapter':
        topics = ('arm_backend', TOPIC), ('gripper_backend', TOPIC)
        return replace(process, parameters=process.parameters + topics)
    return process
