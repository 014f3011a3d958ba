# SPDX-License-Identifier: Apache-2.0
"""What a node refuses by itself, however it was started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vidplan.parameters.files import Block, check_arguments
from vidplan_core.errors import ConfigError


@pytest.mark.parametrize(
    'rule',
    [
        'dry_run:=true',
        'adapter:dry_run:=true',
        'weights.relevancy:=1.0',
        'planner:weights.mine:=1.0',
        'weights.my_package.my_module:MyTerm:=1.0',
        'use_sim_time:=true',
    ],
)
def test_parameters_that_some_node_knows(rule: str) -> None:
    check_arguments(['--ros-args', '-p', rule])


@pytest.mark.parametrize('rule', ['dry_rnu:=true', 'adapter:dry_rnu:=true', 'weight.mine:=1.0'])
def test_parameters_that_none_knows(rule: str) -> None:
    with pytest.raises(ConfigError, match=r"no node has a parameter '\w+.\w+'; did you mean "):
        check_arguments(['--ros-args', '-p', rule])


def test_files_of_a_command_line(tmp_path: Path) -> None:
    file = tmp_path / 'mine.yaml'
    file.write_text('/**/adapter:\n  ros__parameters:\n    dry_rnu: true\n')
    with pytest.raises(ConfigError, match=f"{file}: the node adapter .*'dry_rnu'.*'dry_run'"):
        check_arguments(['--ros-args', '--params-file', str(file)])


@pytest.mark.ros
@pytest.mark.parametrize(
    'module',
    ['vidplan.robots.stitcher_node', 'vidplan.robots.adapter_node', 'vidplan.bags.player',
     'vidplan.bags.recorder', 'vidplan.planning_server.main'],
)  # fmt: skip
def test_a_node_by_itself_refuses_what_no_node_knows(module: str) -> None:
    pytest.importorskip('rclpy', reason='needs ROS 2')
    pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')
    words = ['-m', module, '--ros-args', '-p', 'base_farme:=base']
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    assert "did you mean 'base_frame'?" in done.stderr


@pytest.mark.parametrize(
    ('pattern', 'name', 'meant'),
    [
        ('/**/adapter', '/adapter', True),
        ('/**/adapter', '/arm1/left/adapter', True),
        ('/*/adapter', '/arm1/adapter', True),
        ('/*/adapter', '/adapter', False),
        ('/**', '/arm1/adapter', True),
        ('/arm1/*', '/arm1/adapter', True),
        ('/arm2/adapter', '/arm1/adapter', False),
        ('/adapter', '/arm1/adapter', False),
        ('/**/adapter', '/my_adapter', False),
    ],
)
def test_patterns_mean_what_ros_takes_them_for(pattern: str, name: str, meant: bool) -> None:
    assert Block(pattern, {}).means(name) is meant


def test_checking_a_file_loads_no_heavy_library() -> None:
    """Whatever starts the graph only to wait for it, `ros2 launch` too, stays small."""
    program = (
        'import sys; import vidplan.parameters.files; '
        "print({'torch', 'mujoco', 'daqp', 'rclpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert done.stdout == 'set()\n', done.stderr
