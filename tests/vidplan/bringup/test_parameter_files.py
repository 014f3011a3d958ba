# SPDX-License-Identifier: Apache-2.0
"""The whole graph started with a parameter file of one's own, in both ways of starting it."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from rcl_interfaces.srv import GetParameters

pytestmark = [pytest.mark.ros, pytest.mark.slow]

# What `ros2 launch` does with a file and its arguments.
_LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

file, *words = sys.argv[1:]
given = [tuple(word.split(':=', 1)) for word in words]
service = LaunchService()
included = IncludeLaunchDescription(PythonLaunchDescriptionSource(file), launch_arguments=given)
service.include_launch_description(LaunchDescription([included]))
sys.exit(service.run())
"""
_NO_LAUNCH = importlib.util.find_spec('launch_ros') is None


@pytest.fixture(
    params=[
        'vidplan up',
        pytest.param(
            'ros2 launch',
            marks=pytest.mark.skipif(_NO_LAUNCH, reason='launch is not installed'),
        ),
    ]
)
def starter(request: pytest.FixtureRequest, repository: Path) -> list[str]:
    """The words that start the planning graph; arguments follow as name:=value."""
    if request.param == 'ros2 launch':
        return [sys.executable, '-c', _LAUNCH, str(repository / 'launch' / 'planning.launch.py')]
    return [sys.executable, '-m', 'vidplan.cli.main', 'up']


def start(starter: Sequence[str], log: Path, **given: str) -> subprocess.Popen[str]:
    if starter[-1] == 'up':
        words = [f'--{name.replace("_", "-")}={value}' for name, value in given.items()]
        words = [w.replace('--autostart=false', '--no-autostart') for w in words]
        words = [w.replace('--dry-run=false', '--no-dry-run') for w in words]
    else:
        words = [f'{name}:={value}' for name, value in given.items()]
    with log.open('w') as file:
        return subprocess.Popen(
            [*starter, *words], stdout=file, stderr=file, text=True,
            env={**os.environ, 'PYTHONUNBUFFERED': '1'},
        )  # fmt: skip


@pytest.mark.parametrize(
    ('given', 'obeyed'),
    [({}, True), ({'dry_run': 'false'}, False)],
    ids=['nothing given', 'given otherwise'],
)
def test_a_file_is_obeyed_unless_an_argument_was_given(
    ros: Any, tmp_path: Path, starter: list[str], given: dict[str, str], obeyed: bool
) -> None:
    file, log = tmp_path / 'mine.yaml', tmp_path / 'log'
    file.write_text(
        # Nothing of the Franka Hand is installed where this runs.
        '/**/adapter:\n  ros__parameters:\n    dry_run: true\n    gripper_backend: topic\n'
    )
    process = start(starter, log, params_file=str(file), autostart='false', **given)
    try:
        asked = GetParameters.Request(names=['dry_run'])
        answer = ros.call(GetParameters, '/adapter/get_parameters', asked, timeout_s=180.0)
        assert answer.values[0].bool_value is obeyed, log.read_text()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0, log.read_text()


@pytest.mark.fault('parameter')
def test_a_misspelt_name_ends_the_start(tmp_path: Path, starter: list[str]) -> None:
    file, log = tmp_path / 'mine.yaml', tmp_path / 'log'
    file.write_text('/**/adapter:\n  ros__parameters:\n    dry_rnu: true\n')
    process = start(starter, log, params_file=str(file))
    assert process.wait(timeout=60) != 0
    said = log.read_text()
    assert f"{file}: the node adapter has no parameter 'dry_rnu'; did you mean 'dry_run'?" in said
    assert '[adapter' not in said  # no process was started
