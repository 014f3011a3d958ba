# SPDX-License-Identifier: Apache-2.0
"""How the planning server starts, and what it refuses to start with."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

import rclpy

from tests.fakes.fake_models import ServerSystem
from tests.vidplan.planning_server.server_graph import ROS_ARGS as ROS_ARGS
from vidplan.planning_server.main import PlanningServer
from vidplan.planning_server.planning_host import PlanningHost
from vidplan_core.errors import ConfigError, ModelError, VidPlanError

pytestmark = pytest.mark.ros


@pytest.mark.fault('models')
def test_models_that_cannot_be_loaded(ros: Any) -> None:
    def load(*_: Any) -> Any:
        raise ModelError('world_model/config.json is missing')

    server = PlanningServer(PlanningHost(load=load))
    try:
        with pytest.raises(ModelError, match=r'config\.json is missing'):
            server.start()
        assert isinstance(server.world_model.failure, ModelError)
    finally:
        server.stop()


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('committed_frames', '-1'),
        ('method', 'magic'),
        ('step_m', '-0.1'),
        ('time_limit_s', '0.0'),
        ('execute_frames', 'two'),
        ('device', '3'),
    ],
)
@pytest.mark.fault('parameter')
def test_wrong_parameter(name: str, value: str) -> None:
    rclpy.init(args=['--ros-args', '-p', f'{name}:={value}'])
    try:
        with pytest.raises(ConfigError, match=name):
            PlanningServer(PlanningHost(load=lambda *_: None))
    finally:
        rclpy.try_shutdown()


def test_frames_beyond_what_the_models_imagine() -> None:
    rclpy.init(args=['--ros-args', '-p', 'execute_frames:=9'])
    server = PlanningServer(PlanningHost(load=lambda *_: ServerSystem()))
    try:
        with pytest.raises(ConfigError, match='execute_frames is 9; allowed: up to 4'):
            server.start()
    finally:
        server.stop()
        rclpy.try_shutdown()


def test_without_autostart_the_lifecycle_is_left_to_others() -> None:
    rclpy.init(args=['--ros-args', '-p', 'autostart:=false'])
    server = PlanningServer(PlanningHost(load=lambda *_: ServerSystem()))
    try:
        server.start()
        assert not server.planner.active
        server.planner.trigger_configure()
        assert isinstance(server.planner.failure, VidPlanError)  # no models yet
        for node in server.nodes:
            node.trigger_configure()
        for node in server.nodes:
            node.trigger_activate()
        assert server.planner.active
    finally:
        server.stop()
        rclpy.try_shutdown()
