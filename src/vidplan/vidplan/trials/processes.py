# SPDX-License-Identifier: Apache-2.0
"""Processes of the planning graph, each started and ended by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from vidplan.bringup.description import Graph, Process
from vidplan.bringup.graph import PLANNING
from vidplan.bringup.process import Child, ProcessGroup
from vidplan.parameters.adapter import TOPIC

# The planning server, and the module that stands for it.
SERVER, _MOVING = 'planning_server', 'vidplan.trials.planner'


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
        values = graph.values({'namespace': self._namespace})
        self._groups[name] = ProcessGroup(graph, values, self._on_line).__enter__()

    def child(self, name: str) -> Child:
        """Return a process that was started."""
        return self._groups[name].children[0]

    def stop(self) -> None:
        """End all."""
        for group in self._groups.values():
            group.stop()


def _changed(process: Process) -> Process:
    if process.executable == SERVER:
        return replace(process, package='no_such_package', module=_MOVING)
    if process.executable == 'adapter':
        topics = ('arm_backend', TOPIC), ('gripper_backend', TOPIC)
        return replace(process, parameters=process.parameters + topics)
    return process
