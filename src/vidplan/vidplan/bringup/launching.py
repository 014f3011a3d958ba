# SPDX-License-Identifier: Apache-2.0
"""Turns the graph table into launch_ros actions; the launch files are its only callers."""

from __future__ import annotations

from launch.action import Action
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable, Shutdown
from launch.conditions import IfCondition
from launch.substitutions import EnvironmentVariable, LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue

from launch import LaunchDescription
from vidplan.bringup.graph import (
    GRACE_S,
    Argument,
    Graph,
    Process,
    Setting,
    Value,
    argument_default,
)


def describe(graph: Graph) -> LaunchDescription:
    """Return the launch description of a graph."""
    types = {argument.name: type(argument.default) for argument in graph.arguments}
    return LaunchDescription(
        [
            # Lines of several processes must not wait in a buffer for each other.
            SetEnvironmentVariable('RCUTILS_LOGGING_BUFFERED_STREAM', '1'),
            *(_declare(argument) for argument in graph.arguments),
            *(_node(process, types) for process in graph.processes),
        ]
    )


def _declare(argument: Argument) -> Action:
    default = argument_default(argument)
    is_flag = isinstance(default, bool)
    return DeclareLaunchArgument(
        argument.name,
        default_value=str(default).lower() if is_flag else str(default),
        description=argument.description,
        choices=['true', 'false'] if is_flag else None,
    )


def _node(process: Process, types: dict[str, type]) -> Action:
    files = [ParameterFile(LaunchConfiguration(name)) for name in process.parameter_files]
    return Node(
        package=process.package,
        executable=process.executable,
        # No name: a process may host several nodes, which keep their own.
        namespace=LaunchConfiguration('namespace'),
        parameters=[*files, *_overrides(process, types)],
        remappings=[(source, _substitution(target)) for source, target in process.remappings],
        ros_arguments=['--log-level', LaunchConfiguration('log_level')],
        additional_env={
            name: EnvironmentVariable(name, default_value=value)
            for name, value in process.environment
        },
        condition=IfCondition(LaunchConfiguration(process.condition))
        if process.condition
        else None,
        on_exit=[Shutdown(reason=f'{process.executable} ended')] if process.required else None,
        # Bringing the arm to rest and leaving PyTorch behind may take a moment.
        sigterm_timeout=str(GRACE_S),
        sigkill_timeout=str(GRACE_S),
        output='screen',
        emulate_tty=True,
    )


def _overrides(process: Process, types: dict[str, type]) -> list[dict[str, object]]:
    return [
        {
            name: ParameterValue(_substitution(entry), value_type=types[entry.argument])
            if isinstance(entry, Value)
            else entry
        }
        for name, entry in process.parameters
    ]


def _substitution(entry: Value | Setting) -> object:
    return LaunchConfiguration(entry.argument) if isinstance(entry, Value) else entry
