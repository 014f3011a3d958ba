# SPDX-License-Identifier: Apache-2.0
"""The commented file says the defaults; nothing may be said differently in two places."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from vidplan.planning_server.reward import RewardParameters
from vidplan.planning_server.world_model import WorldModelParameters
from vidplan.tasks.planner_parameters import PlannerParameters
from vidplan_core.planner.config import PlannerConfig


@pytest.mark.parametrize(
    ('node', 'kind'),
    [
        ('world_model', WorldModelParameters),
        ('reward', RewardParameters),
        ('planner', PlannerParameters),
    ],
    ids=['world_model', 'reward', 'planner'],
)
def test_file_says_every_default(repository: Path, node: str, kind: type) -> None:
    blocks = yaml.safe_load((repository / 'config' / 'planning.yaml').read_text())
    said = blocks[f'/**/{node}']['ros__parameters']
    defaults = dataclasses.asdict(kind())
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in defaults.items()}
    assert said == plain


def test_planner_parameters_cover_the_core() -> None:
    names = {field.name for field in dataclasses.fields(PlannerParameters)}
    core = {field.name for field in dataclasses.fields(PlannerConfig)} - {'weights'}
    assert core | {f'{term}_weight' for term in PlannerConfig().weights} <= names
    assert PlannerParameters().core() == PlannerConfig()
