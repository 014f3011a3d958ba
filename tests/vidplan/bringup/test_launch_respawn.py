# SPDX-License-Identifier: Apache-2.0
"""What launch does when a process ends: as `vidplan up` does, see test_process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('launch_ros.actions', reason='launch is not installed')

from launch.actions import IncludeLaunchDescription, RegisterEventHandler
from launch.event_handlers import OnProcessStart
from launch.launch_description_source import LaunchDescriptionSource

from launch import LaunchDescription, LaunchService
from tests.vidplan.bringup.moving.launched import install
from tests.vidplan.bringup.test_process import fake, graph_of
from vidplan.bringup.launching import describe


@pytest.mark.parametrize(
    ('mode', 'respawn', 'starts'),
    [
        ('fails', 'stitcher', 3), ('refuses', 'stitcher', 1), ('finishes', 'stitcher', 1),
        ('fails', 'planning_server', 1),
    ],
    ids=['again and again', 'what is impossible', 'as asked', 'another is to'],
)  # fmt: skip
@pytest.mark.fault('respawn')
def test_launch_starts_again_what_failed_so_many_times(
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    respawn: str,
    starts: int,
) -> None:
    is_up = tmp_path / 'adapter'
    it = fake('stitcher', mode, awaits=str(is_up))
    others = fake('adapter', 'obeys', tells=str(is_up)), fake('planning_server', 'obeys')
    graph = graph_of(it, *others)
    install(graph, tmp_path)
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{tmp_path}:{os.environ["AMENT_PREFIX_PATH"]}')
    monkeypatch.setenv('PYTHONPATH', f'{repository}:{os.environ.get("PYTHONPATH", "")}')
    started: list[str] = []

    def note(event: Any, _: Any) -> None:
        started.append(Path(event.cmd[event.cmd.index('--ros-args') - 1]).name)

    given = [('respawn', respawn), ('respawn_tries', '2'), ('respawn_delay_s', '0.2')]
    source = LaunchDescriptionSource(describe(graph))
    service = LaunchService()
    service.include_launch_description(LaunchDescription([
        RegisterEventHandler(OnProcessStart(on_start=note)),
        IncludeLaunchDescription(source, launch_arguments=given),
    ]))  # fmt: skip
    service.run()
    assert started.count('stitcher') == starts
