# SPDX-License-Identifier: Apache-2.0
"""Columns of a table and parts of their vectors, as they are written in `--columns`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow
import pytest

from vidplan_core.errors import ConfigError
from vidplan_eval.datasets.errors import EpisodeError
from vidplan_eval.datasets.lerobot_columns import Columns, column_numbers, has_column

STATE = np.arange(16.0).reshape(2, 8)
TABLE = pyarrow.table({'state': STATE.tolist(), 'gripper': [0.25, 0.5]})


@pytest.mark.parametrize(
    ('name', 'width', 'expected'),
    [
        ('gripper', None, [0.25, 0.5]),
        ('gripper[0]', None, [0.25, 0.5]),
        ('state', 8, STATE),
        ('state[0:7]', 7, STATE[:, :7]),
        ('state[:7]', 7, STATE[:, :7]),
        ('state[1:]', 7, STATE[:, 1:]),
        ('state[-7:]', 7, STATE[:, 1:]),
        ('state[-8:-1]', 7, STATE[:, :7]),
        ('state[7]', None, STATE[:, 7]),
        ('state[-1]', None, STATE[:, -1]),
        ('state[-2]', None, STATE[:, -2]),
    ],
)
def test_parts_of_vectors(name: str, width: int | None, expected: object) -> None:
    assert has_column(TABLE, name)
    np.testing.assert_array_equal(column_numbers(TABLE, name, '0', Path('t'), width), expected)


@pytest.mark.parametrize(
    ('name', 'told'),
    [
        ('stat[0]', "'stat'; the table has state, gripper"),
        ('state[8]', r'state\[8\] is empty; a row of state has 8 numbers'),
        ('state[-9]', r'state\[-9\] is empty'),
        ('state[5:5]', r'state\[5:5\] is empty'),
        ('state[0:2]', r'state\[0:2\] has shape \(2, 2\), not \(rows,\)'),
    ],
)
def test_what_is_not_there_is_refused(name: str, told: str) -> None:
    with pytest.raises(EpisodeError, match=told):
        column_numbers(TABLE, name, '0', Path('t'))


@pytest.mark.parametrize('part', ['[', '[]', '[a]', '[1', '[1:2:3]', '[1.5]', '[0:7]]'])
def test_other_parts_are_refused_before_a_table_is_read(part: str) -> None:
    with pytest.raises(ConfigError, match=r'name\[first:after\] or name\[number\]'):
        Columns.named([f'gripper=state{part}'])
