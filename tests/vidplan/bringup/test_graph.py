# SPDX-License-Identifier: Apache-2.0
"""The table of processes, and the launch files that must say the same."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from vidplan.bringup.description import Graph, Process, Value, resolve
from vidplan.bringup.graph import CELL, GRAPHS, PLANNING, REPLAY
from vidplan.bringup.overrides import overrides
from vidplan.bringup.process import command, environment
from vidplan.bringup.respawn import OnEnd, on_end
from vidplan.parameters.nodes import NODES
from vidplan_core.errors import ConfigError

ALL = pytest.mark.parametrize('graph', GRAPHS.values(), ids=GRAPHS)


def values_in(process: Process) -> Iterator[str]:
    entries = [entry for _, entry in process.parameters + process.remappings]
    yield from (entry.argument for entry in entries if isinstance(entry, Value))
    yield from process.parameter_files
    if process.condition:
        yield process.condition
    if isinstance(process.required, Value):
        yield process.required.argument


@ALL
def test_every_value_has_its_argument(graph: Graph) -> None:
    names = [argument.name for argument in graph.arguments]
    assert len(set(names)) == len(names)
    assert {name for process in graph.processes for name in values_in(process)} <= set(names)
    assert all(argument.description for argument in graph.arguments)


@ALL
def test_every_argument_is_used(graph: Graph) -> None:
    used = {name for process in graph.processes for name in values_in(process)}
    # These go to every process by other ways than a parameter.
    everywhere = {'namespace', 'log_level', 'respawn', 'respawn_tries', 'respawn_delay_s'}
    assert {argument.name for argument in graph.arguments} == used | everywhere


@ALL
def test_conditions_are_flags(graph: Graph) -> None:
    values = graph.values()
    for process in graph.processes:
        if process.condition:
            assert isinstance(values[process.condition], bool)
        assert isinstance(resolve(process.required, values), bool)


@ALL
def test_what_follows_an_end_is_chosen_for_every_process(graph: Graph) -> None:
    again = {'stitcher', 'planning_server'}
    for process in graph.processes:
        expected = OnEnd.STARTS_AGAIN if process.executable in again else OnEnd.ALL_END
        if process.executable == 'recorder':
            assert on_end(process, graph.values({'record_required': True})) is OnEnd.ALL_END
            expected = OnEnd.OTHERS_GO_ON
        assert on_end(process, graph.values()) is expected
    arms = [process.executable for process in graph.processes if process.last]
    assert arms == [{'planning': 'fci', 'cell': 'cell', 'replay': 'player'}[graph.name]]


@ALL
def test_every_node_has_its_knobs(graph: Graph) -> None:
    pytest.importorskip('rclpy', reason='needs ROS 2')
    assert all(process.nodes for process in graph.processes)
    assert {node for process in graph.processes for node in process.nodes} <= set(NODES)


@ALL
def test_executables_are_installed_and_their_modules_exist(graph: Graph, repository: Path) -> None:
    for process in graph.processes:
        assert importlib.util.find_spec(process.module), process.module
        setup = (repository / 'src' / process.package / 'setup.py').read_text()
        assert f'{process.executable} = {process.module}:main' in setup


@ALL
def test_paths_of_defaults_exist(graph: Graph) -> None:
    for name in ('params_file', 'cell_params_file'):
        if name in (values := graph.values()):
            assert Path(str(values[name])).is_file()


def test_nothing_but_the_cell_and_the_bag_is_added_to_the_graph() -> None:
    same = tuple(_as_planned(process) for process in CELL.processes[1:])
    *planning, arm = PLANNING.processes
    assert arm.condition == 'fci'  # of a robot, which a simulation has already
    assert same == tuple(planning)
    assert [process.executable for process in REPLAY.processes[1:]] == [
        process.executable for process in planning
    ]


def _as_planned(process: Process) -> Process:
    """Leave out what a cell has of its own: a clock, arm and gripper that listen to topics."""
    parameters = tuple(entry for entry in process.parameters if not entry[0].endswith('_backend'))
    remappings = tuple(entry for entry in process.remappings if entry[0] != '/clock')
    return dataclasses.replace(process, parameters=parameters, remappings=remappings)


@ALL
def test_a_namespace_holds_everything_of_a_robot(graph: Graph) -> None:
    values = graph.values()
    for process in graph.processes:
        names = [str(resolve(entry, values)) for _, entry in process.remappings]
        assert not [name for name in names if name.startswith('/')]


@pytest.mark.fault('replay')
def test_a_replay_can_never_command_a_robot() -> None:
    adapter = next(one for one in REPLAY.processes if one.executable == 'adapter')
    assert dict(adapter.parameters)['dry_run'] is True
    assert 'dry_run' not in {argument.name for argument in REPLAY.arguments}


def test_unknown_or_mistyped_arguments_are_named() -> None:
    with pytest.raises(ConfigError, match="no argument 'sede'"):
        CELL.values({'sede': 1})
    with pytest.raises(ConfigError, match="'seed' is 'x'.*int"):
        CELL.values({'seed': 'x'})


def test_command_line_of_a_process() -> None:
    process = Process(
        'no_such_package', 'thing', 'some.thing',
        parameter_files=('params_file',),
        remappings=(('in', Value('left_image')),),
    )  # fmt: skip
    values = PLANNING.values({'namespace': 'arm1/', 'params_file': '/p.yaml'})
    words = command(process, values, Path('/o.yaml'))
    assert words[1:3] == ['-m', 'some.thing']
    assert words[3:] == [
        '--ros-args', '--log-level', 'info', '-r', '__ns:=/arm1', '--params-file', '/p.yaml',
        '--params-file', '/o.yaml', '-r', 'in:=left/image_raw',
    ]  # fmt: skip


def test_environment_that_is_set_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process('p', 'e', 'm', environment=(('OMP_NUM_THREADS', '1'), ('NEW_ONE', 'x')))
    monkeypatch.setenv('OMP_NUM_THREADS', '7')
    made = environment(process, {'EXTRA': 'y'})
    assert (made['OMP_NUM_THREADS'], made['NEW_ONE'], made['EXTRA']) == ('7', 'x', 'y')


@ALL
def test_launch_file_is_made_of_the_table(graph: Graph, repository: Path) -> None:
    """Without launch: the file only names its graph, so it cannot describe a process again."""
    tree = ast.parse((repository / 'launch' / f'{graph.name}.launch.py').read_text())
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == 'vidplan.bringup.graph'
        for alias in node.names
    }
    assert imported == {graph.name.upper()}
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert functions == ['generate_launch_description']


def launch_description(repository: Path, graph: Graph) -> Any:
    pytest.importorskip('launch_ros.actions', reason='launch is not installed')
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    from launch import LaunchContext

    file = repository / 'launch' / f'{graph.name}.launch.py'
    return PythonLaunchDescriptionSource(str(file)).get_launch_description(LaunchContext())


@ALL
def test_launch_arguments_with_descriptions(graph: Graph, repository: Path) -> None:
    declared = launch_description(repository, graph).get_launch_arguments()
    assert [one.name for one in declared] == [argument.name for argument in graph.arguments]
    for one, argument in zip(declared, graph.arguments):
        assert one.description.startswith(argument.description)  # then the valid choices


@ALL
def test_launch_makes_the_same_command_lines(graph: Graph, repository: Path) -> None:
    pytest.importorskip('launch_ros.actions', reason='launch is not installed')
    from launch.utilities import perform_substitutions

    from launch import LaunchContext

    context = LaunchContext()
    given = {'namespace': 'arm1', 'record': True, 'log_level': 'debug'}
    for name, value in given.items():
        context.launch_configurations[name] = (
            str(value).lower() if isinstance(value, bool) else str(value)
        )
    nodes = launched_nodes(context, launch_description(repository, graph))
    values = graph.values(given)
    chosen = graph.chosen(values)
    assert len(nodes) == len(chosen)
    for node, process in zip(nodes, chosen):
        node._perform_substitutions(context)
        context.extend_locals({'ros_specific_arguments': {'ns': '__ns:=/arm1'}})
        assert (node.node_package, node.node_executable) == (process.package, process.executable)
        assert node.expanded_node_namespace == '/arm1'
        wanted = [(source, str(resolve(entry, values))) for source, entry in process.remappings]
        assert list(node.expanded_remapping_rules or []) == wanted
        words = [perform_substitutions(context, word) for word in node.cmd[1:]]
        assert words[words.index('--log-level') + 1] == 'debug'
        files = [after for word, after in zip(words, words[1:]) if word == '--params-file']
        assert files[:-1] == [str(values[name]) for name in process.parameter_files]
        said = yaml.safe_load(Path(files[-1]).read_text())
        assert {node: block['ros__parameters'] for node, block in (said or {}).items()} == {
            node: block for node, block in overrides(process, values).items() if block
        }


def launched_nodes(context: Any, description: Any) -> list[Any]:
    """Do what a launch does up to the start of the processes, and return their actions."""
    from launch_ros.actions import Node

    found = []
    for entity in description.entities:
        found += [made for made in entity.visit(context) or [] if isinstance(made, Node)]
    return found
