# SPDX-License-Identifier: Apache-2.0
"""Which columns of a LeRobot table say what, and the numbers in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow

from vidplan_core.errors import ConfigError
from vidplan_eval.datasets.episode import numbers
from vidplan_eval.datasets.errors import MISSING_COLUMN, WRONG_SHAPE, EpisodeError


@dataclass(frozen=True)
class Columns:
    """Names in the tables; the values are DROID's.

    A name may end with a part of a vector: `observation.state[0:6]`, `observation.state[6]`, or
    `observation.state[-1]`, counted from 0 as in Python, the end not included.

    pose: x, y, z (m), extrinsic xyz roll, pitch, yaw (rad) of the flange in the base frame;
        where the table has none, it follows from `joints`.
    gripper: 0 open .. 1 closed.
    joints: 7 angles, rad.
    velocity: optional, 7 commanded joint velocities, for the adapter only.
    success, text: optional, the same in every row.
    """

    pose: str = 'observation.state.cartesian_position'
    gripper: str = 'observation.state.gripper_position'
    joints: str = 'observation.state.joint_position'
    velocity: str = 'action.joint_velocity'
    success: str = 'is_episode_successful'
    text: str = 'language_instruction'

    @staticmethod
    def named(pairs: Sequence[str]) -> Columns:
        """DROID's names but for those in pairs such as `pose=observation.state[0:6]`.

        Raises ConfigError for another form, an unknown name before the `=`, or another part.
        """
        known = [field.name for field in fields(Columns)]
        given = dict(pair.partition('=')[::2] for pair in pairs)
        for name, column in given.items():
            if name not in known or not column:
                raise ConfigError(
                    f'columns are given as name=column, with a name of {", ".join(known)}; got '
                    f"'{name}={column}'"
                )
            part_of(column)
        return replace(Columns(), **given)


def part_of(name: str) -> tuple[str, slice]:
    """Return a column's name and the part of its vectors that is meant.

    Raises ConfigError for a part that is neither `[first:after]` nor `[number]`.
    """
    column, bracket, part = name.partition('[')
    if not bracket:
        return name, slice(None)
    try:
        if not part.endswith(']'):
            raise ValueError
        first, *after = (int(number) if number else None for number in part[:-1].split(':'))
        if after:
            (end,) = after
        elif first is None:
            raise ValueError
        else:  # of the last one there is no number after it
            end = first + 1 or None
    except ValueError as error:
        raise ConfigError(
            f"column '{name}'; a part is written name[first:after] or name[number]"
        ) from error
    return column, slice(first, end)


def has_column(rows: pyarrow.Table, name: str) -> bool:
    """Whether a table has a column, of which a part may be named."""
    return part_of(name)[0] in rows.column_names


def column_numbers(
    rows: pyarrow.Table, name: str, episode: str, file: Path, width: int | None = None
) -> np.ndarray:
    """Return the finite numbers of a column or a part of one: (rows, width), or (rows,).

    Raises EpisodeError where the column or the part is missing, or has another shape.
    """
    column, part = part_of(name)
    if column not in rows.column_names:
        there = ', '.join(rows.column_names)
        detail = f"'{column}'; the table has {there}; name yours by {_hint(name)}"
        raise EpisodeError(episode, MISSING_COLUMN, file, detail)
    values = _known(rows[column].to_pylist())
    if part != slice(None):
        whole = [np.atleast_1d(value) for value in values]
        values = [value[part] for value in whole]
        short = next((w for w, v in zip(whole, values) if not len(v)), None)
        if short is not None:
            detail = f'{name} is empty; a row of {column} has {len(short)} numbers'
            raise EpisodeError(episode, WRONG_SHAPE, file, detail)
    empty = np.empty((0,) if width is None else (0, width))
    return numbers(values or empty, episode, file, name, width)


def _known(values: list[Any]) -> list[Any]:
    """Rows without a value become NaN, as wide as the others."""
    wide = next((len(value) for value in values if isinstance(value, list)), None)
    none = np.nan if wide is None else [np.nan] * wide
    return [none if value is None else value for value in values]


def _hint(name: str) -> str:
    """How another column is named for one that is not there."""
    wanted = [field.name for field in fields(Columns) if field.default == name]
    return f'--columns {wanted[0] if wanted else "NAME"}=COLUMN'
