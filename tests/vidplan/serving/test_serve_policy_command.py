# SPDX-License-Identifier: Apache-2.0
"""`vidplan serve-policy`: what is loaded for what is asked, and who may connect."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pytest

from tests.fakes.tiny_system import tiny_system
from vidplan.cli.serving import serve_policy
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.planner.system import PlanningSystem


def parsed(*words: str) -> argparse.Namespace:
    return serve_policy.add_parser(argparse.ArgumentParser().add_subparsers()).parse_args(words)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What models would be loaded with."""
    found: dict[str, Any] = {}

    def load(models: Any, config: Any, device: str, robot: Any) -> PlanningSystem:
        found.update(models=models, config=config, device=device, robot=robot)
        return tiny_system()

    monkeypatch.setattr(PlanningSystem, 'load', staticmethod(load))
    return found


def test_nothing_is_planned_that_no_command_can_say(loaded: dict[str, Any]) -> None:
    policy = serve_policy.make_policy(parsed('--unit', '0.5', '--method', 'no_refine'))
    assert loaded['config'].method == 'no_refine'
    assert loaded['config'].base == 'grounded'
    assert loaded['robot'].limits.velocity.max() <= 0.5
    assert policy.robot is loaded['robot']
    assert policy.metadata['n_external_cameras'] == 2
    assert policy.sight.ages == (1, 0)


def test_positions_are_planned_at_the_robots_own_pace(loaded: dict[str, Any]) -> None:
    policy = serve_policy.make_policy(parsed('--actions', 'joint_position', '--commands', '10'))
    np.testing.assert_array_equal(
        loaded['robot'].limits.velocity, default_robot().limits.velocity
    )
    assert (policy.pace.commands, policy.pace.executed) == (10, 10)


def test_more_executed_than_sent_is_refused(loaded: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match='6 commands .* of which 8 are executed'):
        serve_policy.make_policy(parsed('--executed', '8'))


@pytest.mark.parametrize(
    ('host', 'inside'),
    [('127.0.0.1', True), ('::1', True), ('localhost', True), ('0.0.0.0', False),
     ('192.168.1.4', False), ('robot.local', False)],
)  # fmt: skip
def test_who_is_told_that_others_can_connect(host: str, inside: bool) -> None:
    assert serve_policy._is_loopback(host) == inside


def test_by_default_nobody_else_can_connect() -> None:
    assert parsed().host == '127.0.0.1'
