# SPDX-License-Identifier: Apache-2.0
"""Settings come from defaults, a preset and overrides, and can be written and read again."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from vidplan_core.errors import ConfigError
from vidplan_core.knobs import knob
from vidplan_training.settings.knobs import Settings, nested, required
from vidplan_training.settings.output import to_toml
from vidplan_training.settings.resolve import assignments, resolve

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Inner(Settings):
    rate: float = knob(0.1, 'how fast', low=0.0, high=1.0)
    kind: str = knob('slow', 'which', choices=('slow', 'fast'))
    widths: tuple[int, ...] | None = knob(None, 'of the levels', low=1)


@dataclass(frozen=True, kw_only=True)
class Outer(Settings):
    data: Path = required('folder of data')
    batch: int = knob(4, 'rows', low=1)
    note: str = knob('', 'anything')
    inner: Inner = nested(lambda: Inner(rate=0.5))


def test_overrides_win_over_the_preset_and_the_preset_over_defaults() -> None:
    preset = {'data': 'a', 'batch': 8, 'inner': {'kind': 'fast'}}
    settings = resolve(Outer, preset, assignments(Outer, ['batch=2', 'inner.widths=3,4']))
    assert settings == Outer(data=Path('a'), batch=2, inner=Inner(0.5, 'fast', (3, 4)))


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['bacth=2'], "unknown field 'bacth'; the nearest is 'batch'"),
        (['rate=0.2'], "unknown field 'rate'; the nearest is 'inner.rate'"),
        (['inner.kid=fast'], "the nearest is 'inner.kind'"),
        (['batch'], "'batch' sets nothing: write field=value"),
        (['batch=many'], "batch must be a whole number, not 'many'"),
        (['batch=0'], 'batch is 0; allowed: from 1'),
        (['inner.rate=2'], r'inner\.rate is 2.0; allowed: 0 \.\. 1'),
        (['inner.widths=4,0'], r'inner\.widths is 0; allowed: from 1'),
        (['inner.kind=odd'], r"inner\.kind is 'odd'; allowed: slow, fast"),
        (['inner.rate=nan'], r'inner\.rate is nan'),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(Outer, {'data': 'a'}, assignments(Outer, words))


def test_a_preset_is_checked_like_the_command_line() -> None:
    with pytest.raises(ConfigError, match="unknown field 'inner.rat'"):
        resolve(Outer, {'data': 'a', 'inner': {'rat': 0.1}}, {})
    with pytest.raises(ConfigError, match='batch must be a whole number'):
        resolve(Outer, {'data': 'a', 'batch': 'many'}, {})


def test_what_is_required_is_asked_for_with_its_meaning() -> None:
    with pytest.raises(ConfigError, match=r'data \(folder of data\)'):
        resolve(Outer, {}, {})


def test_bounds_hold_for_settings_made_in_code_too() -> None:
    with pytest.raises(ConfigError, match='batch is 0'):
        Outer(data=Path('a'), batch=0)


@effort(deadline=None, max_examples=50)
@given(
    st.builds(
        Outer,
        data=st.text(min_size=1, alphabet=st.characters(codec='ascii')).map(Path),
        batch=st.integers(1, 10**6),
        note=st.text(),
        inner=st.builds(
            Inner,
            st.floats(0.0, 1.0),
            st.sampled_from(['slow', 'fast']),
            st.none() | st.lists(st.integers(1, 99), min_size=1).map(tuple),
        ),
    )
)
def test_written_settings_are_read_as_they_were(settings: Outer) -> None:
    # None is not written: it is the default of what may be None.
    assert resolve(Outer, tomllib.loads(to_toml(settings)), {}) == settings
