# SPDX-License-Identifier: Apache-2.0
"""LeRobot data sets of other set-ups and with faults: read, or refused by what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import pytest

from tests.training.recordings import NAMES, write_lerobot
from vidplan.cli.main import main
from vidplan_core.errors import ConfigError
from vidplan_eval.datasets.check import check_source
from vidplan_eval.datasets.errors import NOT_FINITE, TOO_SHORT, UNREADABLE, WRONG_UNIT
from vidplan_eval.datasets.lerobot import CAMERAS, LeRobotSource

Rows = dict[str, list[Any]]
POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n'
HOME = np.array([0.0, -0.7, 0.0, -2.3, 0.0, 1.6, 0.8])


def _table(data: Path) -> Path:
    return next((data / 'data').rglob('*.parquet'))


def _edited(data: Path, change: Callable[[Rows], None]) -> None:
    table = parquet.read_table(_table(data))
    rows = {name: table[name].to_pylist() for name in table.column_names}
    change(rows)
    parquet.write_table(pyarrow.table(rows), _table(data))


def _described(data: Path, **values: object) -> None:
    path = data / 'meta' / 'info.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def _arm_in_degrees(rows: Rows) -> None:
    rows[NAMES.joints] = [np.degrees(HOME + row).tolist() for row in rows[NAMES.joints]]


def _only_an_arm_in_degrees(rows: Rows) -> None:
    del rows[NAMES.pose]
    _arm_in_degrees(rows)


def _turned_in_degrees(rows: Rows) -> None:
    rows[NAMES.pose] = [row[:3] + np.degrees(row[3:]).tolist() for row in rows[NAMES.pose]]


def _no_pose_in_a_row(rows: Rows) -> None:
    rows[NAMES.pose][3] = None


def _no_gripper_in_a_row(rows: Rows) -> None:
    rows[NAMES.gripper][3] = None


def _no_rows(rows: Rows) -> None:
    rows['episode_index'] = [9] * len(rows['episode_index'])


@pytest.mark.parametrize(
    ('change', 'kind', 'told'),
    [
        (_arm_in_degrees, WRONG_UNIT, 'joint_position has an angle of .*degrees?'),
        (_only_an_arm_in_degrees, WRONG_UNIT, 'joint_position has an angle of .*degrees?'),
        (_turned_in_degrees, WRONG_UNIT, 'cartesian_position has an angle of .*degrees?'),
        (_no_pose_in_a_row, NOT_FINITE, 'in 1 of 30 rows, first in row 3'),
        (_no_gripper_in_a_row, NOT_FINITE, 'in 1 of 30 rows, first in row 3'),
        (_no_rows, TOO_SHORT, 'no row of this episode'),
    ],
)
def test_numbers_that_cannot_be_meant_are_found(
    change: Callable[[Rows], None], kind: str, told: str, tmp_path: Path
) -> None:
    write_lerobot(tmp_path, 'v2.1', [30])
    _edited(tmp_path, change)
    (finding,) = check_source(LeRobotSource(tmp_path), ['0']).findings
    assert finding.kind == kind
    assert re.search(told, finding.detail)


@pytest.mark.parametrize(
    ('values', 'told'),
    [
        ({'fps': 0}, 'fps is 0'),
        ({'fps': -5}, 'fps is -5'),
        ({'fps': None}, 'are broken'),
        ({'chunks_size': 0}, 'are broken: .*zero'),
        ({'features': []}, 'are broken'),
    ],
    ids=str,
)
def test_broken_metadata_are_named(values: dict[str, Any], told: str, tmp_path: Path) -> None:
    write_lerobot(tmp_path, 'v2.1', [3])
    _described(tmp_path, **values)
    with pytest.raises(ConfigError, match=told):
        LeRobotSource(tmp_path)


@pytest.mark.parametrize(
    ('fps', 'period_s'), [(15, 0.2), (10, 0.2), (12, 1 / 12), (3, 1 / 3), (50, 0.2)]
)
def test_every_rate_is_read(fps: int, period_s: float, tmp_path: Path) -> None:
    write_lerobot(tmp_path, 'v2.1', [3])
    _described(tmp_path, fps=fps)
    assert LeRobotSource(tmp_path, frame_period_s=None).frame_period_s == pytest.approx(period_s)


@pytest.mark.parametrize('pattern', ['data/**/*.parquet', 'videos/**/*.mp4'])
def test_a_pointer_to_a_file_is_told(pattern: str, tmp_path: Path) -> None:
    write_lerobot(tmp_path, 'v2.1', [3])
    next(tmp_path.glob(pattern)).write_text(POINTER)
    (finding,) = check_source(LeRobotSource(tmp_path), ['0']).findings
    assert finding.kind == UNREADABLE
    assert 'git lfs pull' in finding.detail


@pytest.mark.parametrize(
    ('stored', 'told'),
    [
        ([[1, 2, 3]], 'kept as list'),
        ({'bytes': b'rubbish', 'path': None}, 'picture of row 0: no header of a picture'),
        ({'bytes': None, 'path': 'images/a.png'}, 'lies elsewhere: images/a.png'),
    ],
    ids=['numbers', 'rubbish', 'path'],
)
def test_pictures_in_tables_that_cannot_be_read(stored: Any, told: str, tmp_path: Path) -> None:
    write_lerobot(tmp_path, 'v2.1', [3])
    _described(tmp_path, features={camera: {'dtype': 'image'} for camera in CAMERAS})
    _edited(tmp_path, lambda rows: rows.update({camera: [stored] * 3 for camera in CAMERAS}))
    (finding,) = check_source(LeRobotSource(tmp_path), ['0']).findings
    assert finding.kind == UNREADABLE
    assert told in finding.detail


def test_names_of_cameras_may_have_spaces_but_not_repeat(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lerobot(tmp_path, 'v2.1', [30])
    assert main(['data', 'check', str(tmp_path), '--cameras', ', '.join(CAMERAS)]) == 0
    assert main(['data', 'check', str(tmp_path), '--cameras', ','.join([CAMERAS[0]] * 3)]) == 2
    assert 'names one of them twice' in capsys.readouterr().err
