# SPDX-License-Identifier: Apache-2.0
"""Somebody's own source and term in a parameter file: checked, declared, and the rest kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from rclpy.node import Node

from vidplan.parameters.files import check_file
from vidplan.parameters.planner import PlannerParameters
from vidplan.ros.parameters import declare
from vidplan_core.errors import ConfigError
from vidplan_core.planner.config import PlannerConfig

FILE = """
/**/planner:
  ros__parameters:
    proposals: [spatial_basis, 'my_package.my_module:MySource']
    weights: {value: 0.2, 'my_package.my_module:MyTerm': 2.5}
"""


@pytest.mark.ros
def test_a_parameter_file_names_parts_of_ones_own(ros: Any, tmp_path: Path) -> None:
    path = tmp_path / 'own.yaml'
    path.write_text(FILE)
    check_file(path)
    arguments = ['--ros-args', '--params-file', str(path)]
    config = declare(ros.add(Node('planner', cli_args=arguments)), PlannerParameters).core
    assert config.proposals == ('spatial_basis', 'my_package.my_module:MySource')
    own = {'value': 0.2, 'my_package.my_module:MyTerm': 2.5}
    assert config.weights == {**PlannerConfig().weights, **own}


def test_the_weight_of_a_term_of_ones_own_has_bounds_too(tmp_path: Path) -> None:
    path = tmp_path / 'own.yaml'
    path.write_text(FILE.replace('2.5', '-2.5'))
    with pytest.raises(ConfigError, match=r'MyTerm is -2\.5; allowed: 0 \.\. 1000'):
        check_file(path)
