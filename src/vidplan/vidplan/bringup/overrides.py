# SPDX-License-Identifier: Apache-2.0
"""What a graph starts with, for every way of starting it: parameter files and what beats them.

Of several values for one parameter counts the first of: an argument that was given, the parameter
file, the default of the argument, the default of the node.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidplan.bringup.description import Graph, GraphSettings, Process, Setting, Value, resolve
from vidplan.bringup.respawn import check_respawn
from vidplan_core.errors import ConfigError

#: What one process is started with: by full name of a node, or a pattern, its parameters.
Overrides = dict[str, dict[str, Setting]]


def check_start(graph: Graph, settings: GraphSettings) -> None:
    """Check paths and parameter files before any process starts.

    Raises:
        ConfigError: a path that is not there, a node or parameter that nobody knows (with the
            nearest one), a value that is not allowed.
    """
    check_respawn(graph, settings)
    for name in ('params_file', 'cell_params_file', 'models', 'bag'):
        if name in settings and not Path(str(settings[name])).exists():
            raise ConfigError(f'{name}: {str(settings[name])!r} does not exist')
    for path in parameter_files(graph.chosen(settings), settings):
        # Only now: it knows every node, and imports what their knobs come from.
        from vidplan.parameters.files import check_file

        check_file(path)


def parameter_files(processes: Sequence[Process], settings: GraphSettings) -> list[Path]:
    """Return the parameter files of some processes, each once."""
    names = dict.fromkeys(name for process in processes for name in process.parameter_files)
    return [Path(str(settings[name])) for name in names]


def overrides(process: Process, settings: GraphSettings) -> Overrides:
    """Return what counts before the parameter files of a process, and what they leave open."""
    from vidplan.parameters.files import read_blocks

    files = parameter_files([process], settings)
    blocks = [block for path in files for block in read_blocks(path)]
    found: Overrides = {}
    for node in process.nodes or ('**',):
        full_name = f'{_namespace(settings)}/{node}'
        said = {name for one in blocks if one.means(full_name) for name in one.values}
        chosen = {
            name: resolve(entry, settings)
            for name, entry in process.parameters
            if _concerns(node, name)
            and (
                not isinstance(entry, Value)
                or entry.argument in settings.given
                or name not in said
            )
        }
        # A file may name the node in either way, and the one that came first would count.
        found |= dict.fromkeys((f'/**/{node}', full_name) if process.nodes else ('/**',), chosen)
    return found


def write_overrides(process: Process, settings: GraphSettings, folder: Path) -> Path:
    """Write the overrides of a process as a parameter file, which must be the last one."""
    from vidplan.parameters.commented import yaml_value

    lines = []
    for node, values in overrides(process, settings).items():
        if not values:  # where a file says all of them; no node starts with a block without any
            continue
        lines += [f'{node}:', '  ros__parameters:']
        lines += [f'    {name}: {yaml_value(value)}' for name, value in values.items()]
    path = folder / f'{process.executable}.yaml'
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return path


def _concerns(node: str, name: str) -> bool:
    """Whether a node of ours has the parameter; every other node may have any."""
    from vidplan.parameters.nodes import NODES, is_known

    return node not in NODES or is_known(name, node)


def _namespace(settings: GraphSettings) -> str:
    name = str(settings['namespace']).strip('/')
    return f'/{name}' if name else ''
