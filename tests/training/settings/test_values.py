# SPDX-License-Identifier: Apache-2.0
"""Values are read as their annotations want them, or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vidplan_core.errors import ConfigError
from vidplan_training.settings.values import from_text, from_toml


@pytest.mark.parametrize(
    ('text', 'kind', 'value'),
    [
        ('5', int, 5),
        ('3e-4', float, 3e-4),
        ('true', bool, True),
        ('a b', str, 'a b'),
        ('data/cell', Path, Path('data/cell')),
        ('32,64', tuple[int, ...], (32, 64)),
        ('[1, 2.5]', tuple[float, float], (1.0, 2.5)),
        ('', Path | None, None),
        ('7', int | None, 7),
    ],
)
def test_text_becomes_a_value(text: str, kind: Any, value: object) -> None:
    read = from_text('field', text, kind)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ('text', 'kind', 'wanted'),
    [
        ('5.5', int, 'a whole number'),
        ('fast', float, 'a number'),
        ('1', bool, 'true or false'),
        ('1,x', tuple[int, ...], 'a whole number'),
        ('1,2,3', tuple[float, float], '2 numbers'),
        ('', tuple[int, ...], 'a list of whole numbers'),
    ],
)
def test_other_text_is_refused_by_name(text: str, kind: Any, wanted: str) -> None:
    with pytest.raises(ConfigError, match=f'batch must be {wanted}'):
        from_text('batch', text, kind)


@pytest.mark.parametrize(
    ('value', 'kind'),
    [('5', int), (True, int), (1, bool), (5.0, int), ('a', float), (5, Path), (5, tuple[int])],
)
def test_toml_of_another_type_is_refused(value: object, kind: Any) -> None:
    with pytest.raises(ConfigError, match='field must be'):
        from_toml('field', value, kind)


def test_toml_may_write_a_whole_number_for_a_number() -> None:
    read = from_toml('field', [1, 2.5], tuple[float, float] | None)
    assert read == (1.0, 2.5)
    assert type(read[0]) is float
