# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from rclpy.node import Node
from rclpy.parameter import Parameter

from vidplan.ros.parameters import declare, follow
from vidplan_core.errors import ConfigError
from vidplan_core.knobs import check_knobs, knob, knob_group


@dataclass(frozen=True)
class Gains:
    near: float = knob(0.5, 'how strongly', low=0.0, high=1.0, mutable=True)

    def __post_init__(self) -> None:
        check_knobs(self)


@dataclass(frozen=True)
class Example:
    rate_hz: float = knob(10.0, 'how often', unit='Hz', low=1.0, high=100.0, mutable=True)
    count: int = knob(3, 'how many', low=1, high=8)
    mode: str = knob('slow', 'how', choices=('slow', 'fast'))
    box_m: tuple[float, ...] = knob((0.0, 1.0), 'where', unit='m', length=2, low=-2.0, high=2.0)
    names: tuple[str, ...] = knob(('a',), 'of what')
    dry_run: bool = knob(False, 'whether it is meant')
    weights: Mapping[str, float] = knob({'a': 1.0}, 'of each', low=0.0, mutable=True)
    gains: Gains = knob_group(Gains)

    def __post_init__(self) -> None:
        check_knobs(self)


def node_with(ros: Any, overrides: Mapping[str, object]) -> Node:
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
    node = node_with(ros, {'rate_hz': 20, 'box_m': [0, 2], 'names': ['x', 'y'], 'dry_run': True})
    values = declare(node, Example)
    assert values == Example(20.0, 3, 'slow', (0.0, 2.0), ('x', 'y'), True)
    assert type(values.rate_hz) is float
    description = node.describe_parameter('rate_hz')
    assert description.description == 'how often [Hz]'
    assert description.additional_constraints == '1 .. 100 Hz'
    limits = description.floating_point_range[0]
    assert (limits.from_value, limits.to_value) == (1.0, 100.0)
    assert node.describe_parameter('count').read_only
    assert not description.read_only


@pytest.mark.ros
@pytest.mark.parametrize(
    ('name', 'value', 'says'),
    [
        ('rate_hz', 0.5, '1 .. 100'),
        ('rate_hz', 1000, '1 .. 100'),
        ('rate_hz', float('nan'), '1 .. 100'),
        ('rate_hz', 'fast', '1 .. 100 Hz'),
        ('count', 9, '1 .. 8'),
        ('count', 2.5, 'an integer, 1 .. 8'),
        ('mode', 'warp', 'one of slow, fast'),
        ('box_m', [0.0], '2 of them'),
        ('box_m', [0.0, 5.0], '-2 .. 2'),
        ('box_m', 1.0, 'a list'),
        ('names', 'x', 'a list, each a string'),
        ('gains.near', 2.0, '0 .. 1'),
        ('weights.a', -1.0, 'from 0'),
        ('weights.another', 'x', 'from 0'),
        ('dry_run', 1, 'true or false'),
    ],
)
def test_impossible_values_are_named(ros: Any, name: str, value: object, says: str) -> None:
    node = node_with(ros, {name: value})
    with pytest.raises(ConfigError, match=says) as caught:
        declare(node, Example)
    assert f'example: {name} is ' in str(caught.value)


@pytest.mark.ros
def test_mutable_parameters_follow(ros: Any) -> None:
    node = node_with(ros, {})
    seen: list[Example] = []
    follow(node, declare(node, Example), seen.append)
    assert node.set_parameters([Parameter('rate_hz', value=50.0)])[0].successful
    assert seen == [Example(rate_hz=50.0)]
    assert node.set_parameters([Parameter('gains.near', value=1)])[0].successful
    assert node.set_parameters([Parameter('weights.a', value=2)])[0].successful
    assert seen[1:] == [
        Example(rate_hz=50.0, gains=Gains(1.0)),
        Example(rate_hz=50.0, gains=Gains(1.0), weights={'a': 2.0}),
    ]
    del seen[1:]
    for change in (
        Parameter('gains.near', value=1.5),
        Parameter('rate_hz', value=0.0),
        Parameter('rate_hz', value='x'),
        Parameter('count', value=4),
    ):
        assert not node.set_parameters([change])[0].successful
    assert len(seen) == 1


@pytest.mark.ros
def test_groups_and_mappings_have_dotted_names(ros: Any) -> None:
    node = node_with(ros, {'gains.near': 1, 'weights.mine.own': 2, 'weights.a': 3.0})
    values = declare(node, Example)
    assert values.gains == Gains(1.0)
    assert values.weights == {'a': 3.0, 'mine.own': 2.0}
    assert node.describe_parameter('gains.near').description == 'how strongly'
    assert node.describe_parameter('weights.mine.own').description == 'of each'
