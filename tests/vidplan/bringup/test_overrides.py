# SPDX-License-Identifier: Apache-2.0
"""Which of several values for one parameter counts, and what a start is refused for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

import rclpy
from rclpy.node import Node

from vidplan.bringup.description import Graph, Process
from vidplan.bringup.graph import CELL, PLANNING, REPLAY
from vidplan.bringup.overrides import check_start, write_overrides
from vidplan_core.errors import ConfigError

#: The same wish in every order and form that ROS takes.
DRY_RUN = {
    'of the node': '/**/adapter:\n  ros__parameters:\n    dry_run: true\n',
    'of all nodes': '/**:\n  ros__parameters:\n    dry_run: true\n',
    'after others of all': (
        '/**:\n  ros__parameters:\n    use_sim_time: false\n'
        '/**/adapter:\n  ros__parameters:\n    dry_run: true\n'
    ),
    'by its full name': '/arm1/adapter:\n  ros__parameters:\n    dry_run: true\n',
    'in a namespace': '/arm1:\n  adapter:\n    ros__parameters:\n      dry_run: true\n',
}


def adapter_of(graph: Graph) -> Process:
    return next(one for one in graph.processes if one.executable == 'adapter')


def value_at_node(graph: Graph, tmp_path: Path, name: str, default: Any, **given: object) -> Any:
    """The value that ROS itself gives the adapter's node for a start like this."""
    settings = graph.values({'namespace': 'arm1', **given})
    check_start(graph, settings)
    process = adapter_of(graph)
    overrides = write_overrides(process, settings, tmp_path)
    words = ['--ros-args', '--params-file', str(settings['params_file'])]
    words += ['--params-file', str(overrides), '-r', '__ns:=/arm1']
    rclpy.init(args=words)
    try:
        node = Node('adapter')
        if not node.has_parameter(name):  # as ROS has declared its own
            node.declare_parameter(name, default)
        return node.get_parameter(name).value
    finally:
        rclpy.try_shutdown()


def file_with(tmp_path: Path, text: str) -> str:
    path = tmp_path / 'mine.yaml'
    path.write_text(text)
    return str(path)


@pytest.mark.ros
@pytest.mark.parametrize('text', DRY_RUN.values(), ids=DRY_RUN)
def test_a_file_wins_over_defaults_and_loses_to_what_was_given(tmp_path: Path, text: str) -> None:
    file = file_with(tmp_path, text)

    def dry_run(graph: Graph, **given: object) -> bool:
        return bool(value_at_node(graph, tmp_path, 'dry_run', False, params_file=file, **given))

    assert dry_run(PLANNING)
    assert not dry_run(PLANNING, dry_run=False)
    assert dry_run(PLANNING, dry_run=True)


@pytest.mark.ros
def test_defaults_of_arguments_fill_what_files_leave_open(tmp_path: Path) -> None:
    quiet = file_with(tmp_path, DRY_RUN['of the node'])
    assert value_at_node(CELL, tmp_path, 'use_sim_time', False, params_file=quiet) is True
    said = file_with(tmp_path, '/**:\n  ros__parameters:\n    use_sim_time: false\n')
    assert value_at_node(CELL, tmp_path, 'use_sim_time', False, params_file=said) is False


@pytest.mark.ros
@pytest.mark.fault('replay')
def test_no_file_lets_a_replay_move_a_robot(tmp_path: Path) -> None:
    file = file_with(tmp_path, '/**/adapter:\n  ros__parameters:\n    dry_run: false\n')
    given = {'params_file': file, 'bag': str(tmp_path)}
    assert value_at_node(REPLAY, tmp_path, 'dry_run', False, **given) is True


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        (
            '/**/adapter:\n  ros__parameters:\n    dry_rnu: true\n',
            "the node adapter has no parameter 'dry_rnu'; did you mean 'dry_run'",
        ),
        (
            '/**/planner:\n  ros__parameters:\n    dry_run: true\n',
            "the node planner has no parameter 'dry_run'",
        ),
        (
            '/**:\n  ros__parameters:\n    dry_rnu: true\n',
            "no node has a parameter 'dry_rnu'; did you mean 'dry_run'",
        ),
        (
            '/**/adaptor:\n  ros__parameters:\n    dry_run: true\n',
            r"no node is called 'adaptor' \(/\*\*/adaptor\); did you mean 'adapter'",
        ),
        ('/**/cell:\n  ros__parameters:\n    sede: 3\n', "did you mean 'seed'"),
        ('/**/planner:\n  ros__parameters:\n    step_m: 5.0\n', 'step_m is 5.0; allowed: 0.001'),
        ('/**/planner:\n  ros_parameters:\n    step_m: 0.1\n', 'ros__parameters'),
        ('/**/planner:\n  ros__parameters: 3\n', 'ros__parameters'),
        ('/**/cell: {}\n/**/cell: {}\n', 'is written twice'),
        ('/**/planner: [\n', 'is no YAML'),
    ],
)
def test_what_no_node_knows_ends_the_start(tmp_path: Path, text: str, says: str) -> None:
    file = file_with(tmp_path, text)
    with pytest.raises(ConfigError, match=says) as caught:
        check_start(PLANNING, PLANNING.values({'params_file': file}))
    assert file in str(caught.value)


def test_what_ros_itself_knows_is_no_mistake(tmp_path: Path) -> None:
    file = file_with(
        tmp_path,
        '/**:\n  ros__parameters:\n    use_sim_time: true\n    base_frame: base\n'
        '    qos_overrides: {/plan: {publisher: {depth: 1}}}\n',
    )
    check_start(PLANNING, PLANNING.values({'params_file': file}))


@pytest.mark.ros
@pytest.mark.parametrize('graph', [PLANNING, CELL], ids=lambda graph: graph.name)
def test_ros_reads_what_a_start_without_any_argument_writes(graph: Graph, tmp_path: Path) -> None:
    settings = graph.values({})
    for process in graph.chosen(settings):
        path = write_overrides(process, settings, tmp_path)
        rclpy.init(args=['--ros-args', '--params-file', str(path)])
        rclpy.try_shutdown()
