# SPDX-License-Identifier: Apache-2.0
"""The files for the real robot agree with each other and with what the adapter sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from vidplan_core.geometry.robot_files import default_robot

FR3 = default_robot().limits
ROOT = Path(__file__).resolve().parents[2]


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding='utf-8'))


@pytest.fixture(scope='module')
def controllers() -> dict[str, Any]:
    return load('config/franka_controllers.yaml')['/**']


@pytest.fixture
def arm(controllers: dict[str, Any]) -> dict[str, Any]:
    return controllers['fr3_arm_controller']['ros__parameters']


def test_every_configured_controller_is_loaded(controllers: dict[str, Any]) -> None:
    manager = controllers['controller_manager']['ros__parameters']
    loaded = {
        name for name, value in manager.items() if isinstance(value, dict) and 'type' in value
    }
    assert set(controllers) - {'controller_manager'} <= loaded
    assert manager['update_rate'] == 1000


def test_the_controller_drives_the_joints_of_the_adapter(arm: dict[str, Any]) -> None:
    assert tuple(arm['joints']) == tuple(FR3.names)
    assert set(arm['gains']) == set(FR3.names)
    assert arm['command_interfaces'] == ['effort']


def test_silence_means_stop(arm: dict[str, Any]) -> None:
    assert arm['allow_nonzero_velocity_at_trajectory_end'] is False
    assert arm['interpolate_from_desired_state'] is True
    assert arm['cmd_timeout'] > arm['constraints']['goal_time'] > 0


def test_no_tolerance_is_switched_off(arm: dict[str, Any]) -> None:
    for name in FR3.names:
        tolerance = arm['constraints'][name]
        assert 0 < tolerance['goal'] <= tolerance['trajectory']


def test_gains_hold_the_arm_without_saturating(arm: dict[str, Any]) -> None:
    """At the largest tolerated error the spring stays below the motor's torque, Nm."""
    torque_limits = [87.0] * 4 + [12.0] * 3
    for name, limit in zip(FR3.names, torque_limits, strict=True):
        spring = arm['gains'][name]['p'] * arm['constraints'][name]['goal']
        assert 0 < spring < limit
        assert arm['gains'][name]['i'] == 0.0


def test_both_machines_share_network_and_domain() -> None:
    services = load('docker/compose.yml')['services']
    assert set(services) == {'control', 'planning'}
    for service in services.values():
        assert service['network_mode'] == 'host'
        assert 'ROS_DOMAIN_ID' in service['environment']
        assert service['init']
    planning = services['planning']
    assert planning['stop_signal'] == 'SIGINT'  # the adapter brakes, as at Ctrl-C
    assert planning['healthcheck']['test'][0] == 'CMD'
    assert '../config/franka_controllers.yaml' in services['control']['volumes'][0]
    assert (ROOT / services['planning']['build']['dockerfile']).is_file()
