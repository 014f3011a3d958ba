# SPDX-License-Identifier: Apache-2.0
"""Turns the graph table into launch_ros actions; the launch files are its only callers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.events.process import ProcessExited
from launch.substitutions import EnvironmentVariable, LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterFile

from launch import LaunchContext, LaunchDescription
from vidplan.bringup.description import (
    GRACE_S,
    Argument,
    Graph,
    GraphSettings,
    Process,
    Setting,
    argument_default,
    resolve,
)
from vidplan.bringup.overrides import check_start, parameter_files, write_overrides
from vidplan.bringup.respawn import OnEnd, on_end, starts_again
from vidplan_core.errors import ConfigError

_FLAGS = {'true': True, 'false': False}


def describe(graph: Graph) -> LaunchDescription:
    """Return the launch description of a graph."""
    given: set[str] = set()

    def note_given(context: LaunchContext) -> None:
        # Before the declarations, which put their defaults among what was given.
        given.update(context.launch_configurations)

    def start(context: LaunchContext) -> list[Action]:
        return _start(graph, context.launch_configurations, given)

    return LaunchDescription(
        [
            # Lines of several processes must not wait in a buffer for each other.
            SetEnvironmentVariable('RCUTILS_LOGGING_BUFFERED_STREAM', '1'),
            OpaqueFunction(function=note_given),
            *(_declare(argument) for argument in graph.arguments),
            OpaqueFunction(function=start),
        ]
    )


def _start(graph: Graph, words: dict[str, str], given: set[str]) -> list[Action]:
    """Return the processes as actions; raises ConfigError, which ends the launch."""
    settings = graph.values(
        {one.name: _typed(one, words[one.name]) for one in graph.arguments if one.name in given}
    )
    check_start(graph, settings)
    folder = Path(tempfile.mkdtemp(prefix='vidplan_parameters_'))
    return [_node(process, settings, folder) for process in graph.chosen(settings)]


def _typed(argument: Argument, word: str) -> Setting:
    default = argument_default(argument)
    try:
        return _FLAGS[word] if isinstance(default, bool) else type(default)(word)
    except (KeyError, ValueError):
        kind = type(default).__name__
        raise ConfigError(
            f"argument '{argument.name}' is {word!r}; it must be of type {kind}"
        ) from None


def _declare(argument: Argument) -> Action:
    default = argument_default(argument)
    is_flag = isinstance(default, bool)
    return DeclareLaunchArgument(
        argument.name,
        default_value=str(default).lower() if is_flag else str(default),
        description=argument.description,
        choices=['true', 'false'] if is_flag else None,
    )


def _node(process: Process, settings: GraphSettings, folder: Path) -> Action:
    files = [*parameter_files([process], settings), write_overrides(process, settings, folder)]
    return Node(
        package=process.package,
        executable=process.executable,
        # No name: a process may host several nodes, which keep their own.
        namespace=str(settings['namespace']),
        parameters=[ParameterFile(str(path)) for path in files],
        remappings=[(name, str(resolve(entry, settings))) for name, entry in process.remappings],
        ros_arguments=['--log-level', str(settings['log_level'])],
        additional_env={
            name: EnvironmentVariable(name, default_value=value)
            for name, value in process.environment
        },
        respawn=on_end(process, settings) is OnEnd.STARTS_AGAIN,
        respawn_delay=float(settings['respawn_delay_s']),
        respawn_max_retries=int(settings['respawn_tries']),
        on_exit=_when_ended(process, settings),
        # Bringing the arm to rest and leaving PyTorch behind may take a moment.
        sigterm_timeout=str(GRACE_S),
        sigkill_timeout=str(GRACE_S),
        prefix=[LaunchConfiguration('launch-prefix', default=''), ' ', _ends_with_launch()],
        output='screen',
        emulate_tty=True,
    )


def _when_ended(process: Process, settings: GraphSettings) -> Callable[..., list[Action]]:
    """Return what launch calls at every end; it starts again only what is not shut down."""
    ends = 0

    def when_ended(event: ProcessExited, context: LaunchContext) -> list[Action]:
        nonlocal ends
        ends += 1
        again = starts_again(process, settings, event.returncode, ends)
        if again or context.is_shutdown or on_end(process, settings) is OnEnd.OTHERS_GO_ON:
            return []
        return [Shutdown(reason=f'{process.executable} ended')]

    return when_ended


def _ends_with_launch() -> str:
    """Return what has a process interrupted when launch ends: at SIGTERM it leaves its behind."""
    return 'setpriv --pdeathsig INT --' if shutil.which('setpriv') else ''
