# SPDX-License-Identifier: Apache-2.0
"""What a knob may be, and the one text that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from vidplan_core.errors import ConfigError
from vidplan_core.knobs import check_knobs, entries, knob, knob_group, nearest, with_values


@dataclass(frozen=True)
class Inner:
    gain: float = knob(0.5, 'how strongly', low=0.0, high=1.0)

    def __post_init__(self) -> None:
        check_knobs(self)


@dataclass(frozen=True)
class Example:
    rate_hz: float = knob(10.0, 'how often', unit='Hz', low=1.0, high=100.0)
    count: int = knob(3, 'how many', low=1)
    mode: str = knob('slow', 'how', choices=('slow', 'fast'))
    box_m: tuple[float, ...] = knob((0.0, 1.0), 'where', unit='m', length=2, low=-2.0, high=2.0)
    names: tuple[str, ...] = knob(('a',), 'of what', empty=False)
    dry_run: bool = knob(False, 'whether it is meant')
    weights: Mapping[str, float] = knob({'near': 1.0}, 'of each', low=0.0)
    inner: Inner = knob_group(Inner)
    flat: Inner = knob_group(Inner, prefix='flat_')
    remark: str = 'not a knob'

    def __post_init__(self) -> None:
        check_knobs(self)


@pytest.mark.parametrize(
    ('name', 'value', 'says'),
    [
        ('rate_hz', 0.5, 'rate_hz is 0.5; allowed: 1 .. 100 Hz'),
        ('rate_hz', float('inf'), 'rate_hz is inf; allowed: 1 .. 100 Hz'),
        ('rate_hz', True, 'rate_hz is True; allowed: 1 .. 100 Hz'),
        ('count', 0, 'count is 0; allowed: an integer, from 1'),
        ('count', 2.5, 'count is 2.5; allowed: an integer, from 1'),
        ('mode', 'warp', "mode is 'warp'; allowed: one of slow, fast"),
        ('box_m', (0.0,), r'box_m is \[0.0\]; allowed: a list, each -2 .. 2 m, 2 of them'),
        ('box_m', 1.0, 'box_m is 1.0; allowed: a list'),
        ('box_m', (0.0, 5.0), r'box_m is \[0.0, 5.0\]; allowed: a list'),
        ('names', 'x', "names is 'x'; allowed: a list, each a string, at least 1"),
        ('names', (), 'at least 1'),
        ('dry_run', 1, 'dry_run is 1; allowed: true or false'),
        ('weights', {'near': -1.0}, 'weights.near is -1.0; allowed: from 0'),
        ('weights', 3.0, 'weights is 3.0; allowed: a mapping'),
    ],
)
def test_wrong_values_are_named(name: str, value: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Example(**{name: value})


def test_integers_are_numbers_and_lists_are_lists() -> None:
    Example(rate_hz=20, box_m=[0, 2], weights={'far': 2})  # type: ignore[arg-type]


def test_entries_have_full_names() -> None:
    found = {entry.name: entry.value for entry in entries(Example())}
    assert list(found) == [
        'rate_hz', 'count', 'mode', 'box_m', 'names', 'dry_run', 'weights',
        'inner.gain', 'flat_gain',
    ]  # fmt: skip
    assert found['inner.gain'] == 0.5


def test_values_by_full_name() -> None:
    changed = with_values(Example(), {'inner.gain': 0.25, 'count': 8})
    assert (changed.inner.gain, changed.flat.gain, changed.count) == (0.25, 0.5, 8)
    with pytest.raises(ConfigError, match='gain is 2.0; allowed: 0 .. 1'):
        with_values(Example(), {'flat_gain': 2.0})


def test_two_configurations_share_no_mapping() -> None:
    assert Example().weights is not Example().weights


def test_nearest_name() -> None:
    assert nearest('dry_rnu', ['rate_hz', 'dry_run']) == 'dry_run'
    assert nearest('x', []) == ''
