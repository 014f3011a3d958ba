# SPDX-License-Identifier: Apache-2.0
"""What the table of processes is made of: graphs, their processes and their arguments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vidplan_core.errors import ConfigError

Setting = bool | int | float | str

#: How long a process may take to end when it is asked to [s].
GRACE_S = 10.0


@dataclass(frozen=True)
class Argument:
    """A launch argument, which is also an option of `vidplan up`.

    Attributes:
        name: As in `name:=value`; the option is `--name` with dashes for underscores.
        default: Its type (bool, int, float or str) is the type of every value. A str that starts
            with `share:` is a path in the share folder of this package.
        description: One line for `--show-args` and `--help`.
    """

    name: str
    default: Setting
    description: str


@dataclass(frozen=True)
class Value:
    """Stands for the value of the argument of this name."""

    argument: str


Entry = tuple[str, Value | Setting]


@dataclass(frozen=True)
class Process:
    """One process of the graph.

    Attributes:
        package: ROS package that installs the executable.
        executable: Its name under `lib/<package>`.
        module: The same program as `python -m module`, for a workspace that is not built.
        nodes: Names of its nodes.
        parameters: For every node of the process. A Value counts before the parameter files if
            its argument was given, else after them; a fixed entry counts always.
        parameter_files: Arguments that name YAML files.
        remappings: From a topic's name in the code to its name in this graph.
        condition: Name of a bool argument that must be true; '' for always.
        required: The graph makes no sense without it; or the bool argument that says whether.
        last: It ends when the others have ended: an arm that the adapter brakes has to be there.
        environment: Variables that are set for the process unless they are set already.
    """

    package: str
    executable: str
    module: str
    nodes: tuple[str, ...] = ()
    parameters: tuple[Entry, ...] = ()
    parameter_files: tuple[str, ...] = ('params_file',)
    remappings: tuple[Entry, ...] = ()
    condition: str = ''
    required: bool | Value = True
    last: bool = False
    environment: tuple[tuple[str, str], ...] = ()

    def is_required(self, settings: Mapping[str, Setting]) -> bool:
        """Return whether the graph makes no sense without this process."""
        return bool(resolve(self.required, settings))


class GraphSettings(Mapping[str, Setting]):
    """The value of every argument of a graph.

    Attributes:
        given: Names of those that somebody gave; the others are defaults, before which a
            parameter file counts.
    """

    def __init__(self, values: Mapping[str, Setting], given: Iterable[str] = ()) -> None:
        self._values = dict(values)
        self.given = frozenset(given)

    def __getitem__(self, name: str) -> Setting:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True)
class Graph:
    """A set of processes with the arguments that configure them."""

    name: str
    description: str
    arguments: tuple[Argument, ...]
    processes: tuple[Process, ...]

    def values(self, given: Mapping[str, object] | None = None) -> GraphSettings:
        """Return the value of every argument: the given ones, defaults for the others.

        Raises:
            ConfigError: an unknown argument, or a value of another type.
        """
        known = {argument.name: argument for argument in self.arguments}
        values = {name: argument_default(argument) for name, argument in known.items()}
        for name, value in (given or {}).items():
            if name not in known:
                raise ConfigError(f"no argument '{name}'; {self.name} has {', '.join(known)}")
            if type(value) is not type(values[name]):
                kind = type(values[name]).__name__
                raise ConfigError(f"argument '{name}' is {value!r}; it must be of type {kind}")
            values[name] = value
        return GraphSettings(values, given or {})

    def chosen(self, settings: Mapping[str, Setting]) -> list[Process]:
        """Return the processes whose condition holds."""
        return [one for one in self.processes if not one.condition or settings[one.condition]]


def share_directory() -> Path:
    """Return the folder with launch, config and models: installed, or this source tree."""
    try:
        from ament_index_python.packages import get_package_share_directory

        installed = Path(get_package_share_directory('vidplan'))
        if (installed / 'config').is_dir():
            return installed
    except (ImportError, LookupError, OSError):
        pass  # not built: the source tree has the same folders
    return Path(__file__).resolve().parents[4]


def argument_default(argument: Argument) -> Setting:
    """Return the default with `share:` replaced by the folder that it stands for."""
    if isinstance(argument.default, str) and argument.default.startswith('share:'):
        return str(share_directory() / argument.default.removeprefix('share:'))
    return argument.default


def resolve(
    entry: Value | Setting,
    values: Mapping[str, Setting],
) -> Setting:
    """Return a fixed entry of the table as it is, and an argument's value for a Value."""
    return values[entry.argument] if isinstance(entry, Value) else entry
