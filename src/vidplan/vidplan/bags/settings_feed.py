# SPDX-License-Identifier: Apache-2.0
"""What a recording was made with: the parameters of every node, models by SHA-256, versions."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.client import Client
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python

from vidplan_core.errors import ModelError
from vidplan_core.models.manifest import sealed_files

#: Nodes of a graph whose parameters decide what happens.
NODES = ('stitcher', 'world_model', 'reward', 'planner', 'adapter', 'cell')
_PERIOD_S = 1.0
_PACKAGES = ('vidplan', 'torch', 'numpy')


class SettingsFeed:
    """Asks every node once, as soon as it is there, and hands on what it says as JSON."""

    def __init__(
        self, node: Node, on_settings: Callable[[str], None], names: Sequence[str] = NODES
    ) -> None:
        self._on_settings = on_settings
        # Only what reads: a recorder has no right to set anything.
        self._clients = {
            name: (
                node.create_client(ListParameters, f'{name}/list_parameters'),
                node.create_client(GetParameters, f'{name}/get_parameters'),
            )
            for name in names
        }
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(_PERIOD_S, self._ask, clock=steady)

    def _ask(self) -> None:
        for name, (lists, gets) in list(self._clients.items()):
            if lists.service_is_ready() and gets.service_is_ready():
                del self._clients[name]
                self._list(name, lists, gets)
        if not self._clients:
            self._timer.cancel()

    def _list(self, name: str, lists: Client, gets: Client) -> None:
        def on_names(future: Any) -> None:
            names = list(future.result().result.names)
            on_values = gets.call_async(GetParameters.Request(names=names))
            on_values.add_done_callback(lambda found: self._tell(name, names, found.result()))

        lists.call_async(ListParameters.Request()).add_done_callback(on_names)

    def _tell(self, name: str, names: list[str], response: Any) -> None:
        values = map(parameter_value_to_python, response.values)
        self._on_settings(settings_text(name, dict(zip(names, values))))


def settings_text(node: str, parameters: dict[str, Any]) -> str:
    """Return what is to be kept of a node: its parameters, its models' files, versions."""
    settings = {'node': node, 'parameters': parameters, 'versions': _versions()}
    if models := parameters.get('models'):
        settings['sha256'] = _files(Path(models))
    return json.dumps(settings, default=list)


def _files(models: Path) -> dict[str, str]:
    try:
        return sealed_files(models)
    except ModelError as error:
        return {'': str(error)}


def _versions() -> dict[str, str]:
    found = {'python': platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
