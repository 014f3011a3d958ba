# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from rclpy.node import Node
from rclpy.parameter import Parameter

from vidplan.ros.parameters import declare, follow, parameter
from vidplan_core.errors import ConfigError


@dataclass(frozen=True)
class Example:
    rate_hz: float = parameter(10.0, 'A rate, Hz.', low=1.0, high=100.0, mutable=True)
    count: int = parameter(3, 'A number.', low=1, high=8)
    mode: str = parameter('slow', 'A mode.', choices=('slow', 'fast'))
    box_m: tuple[float, ...] = parameter((0.0, 1.0), 'A box, m.', length=2, low=-2.0, high=2.0)
    names: tuple[str, ...] = parameter(('a',), 'Names.')
    dry_run: bool = parameter(False, 'A switch.')


def node_with(ros: Any, **overrides: object) -> Node:
    return ros.add(
        Node(
            'example',
            parameter_overrides=[
                Parameter(name, value=value) for name, value in overrides.items()
            ],
        )
    )


@pytest.mark.ros
def test_defaults_and_overrides(ros: Any) -> None:
    node = node_with(ros, rate_hz=20, box_m=[0, 2], names=['x', 'y'], dry_run=True)
    values = declare(node, Example)
    assert values == Example(20.0, 3, 'slow', (0.0, 2.0), ('x', 'y'), True)
    assert type(values.rate_hz) is float
    description = node.describe_parameter('rate_hz')
    assert description.description == 'A rate, Hz.'
    assert description.additional_constraints == '1 .. 100'
    assert node.describe_parameter('count').read_only
    assert not description.read_only


@pytest.mark.ros
@pytest.mark.parametrize(
    ('name', 'value', 'says'),
    [
        ('rate_hz', 0.5, '1 .. 100'),
        ('rate_hz', 1000, '1 .. 100'),
        ('rate_hz', float('nan'), '1 .. 100'),
        ('rate_hz', 'fast', 'float'),
        ('count', 9, '1 .. 8'),
        ('count', 2.5, 'integer'),
        ('mode', 'warp', 'one of slow, fast'),
        ('box_m', [0.0], 'must have 2'),
        ('box_m', [0.0, 5.0], '-2 .. 2'),
        ('box_m', 1.0, 'list of float'),
        ('names', 'x', 'list of string'),
        ('dry_run', 1, 'bool'),
    ],
)
def test_impossible_values_are_named(ros: Any, name: str, value: object, says: str) -> None:
    node = node_with(ros, **{name: value})
    with pytest.raises(ConfigError, match=says) as caught:
        declare(node, Example)
    assert f'parameter {name}' in str(caught.value)


@pytest.mark.ros
def test_mutable_parameters_follow(ros: Any) -> None:
    node = node_with(ros)
    seen: list[Example] = []
    follow(node, declare(node, Example), seen.append)
    assert node.set_parameters([Parameter('rate_hz', value=50.0)])[0].successful
    assert seen == [Example(rate_hz=50.0)]
    for change in (
        Parameter('rate_hz', value=0.0),
        Parameter('rate_hz', value='x'),
        Parameter('count', value=4),
    ):
        assert not node.set_parameters([change])[0].successful
    assert len(seen) == 1
