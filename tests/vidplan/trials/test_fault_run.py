# SPDX-License-Identifier: Apache-2.0
"""Faults are tried on the real nodes, counted, and gone on with where a file ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from tests.faults.rows import ROWS
from vidplan.trials.fault_run import FAULTS, FaultRun, cancel_summary, fault_summary
from vidplan.trials.graph.faults import CANCEL

# Kinds of a row, under names of their own.
KINDS = {
    'joints_others': 'joints_wrong', 'plan_low_id': 'plan_old', 'cameras_stop': 'camera_stops',
    'callback_fails_adapter': 'callback_fails', 'respawn_server': 'respawn',
}  # fmt: skip


def row(beyond_s: float, named: bool = True, recovered: bool = True) -> dict[str, Any]:
    return {'beyond_s': beyond_s, 'names': ['STALE'], 'named': named, 'recovered': recovered}


def test_counts_have_exact_intervals() -> None:
    found = fault_summary([row(0.1), row(0.2), row(0.4, named=False)])
    assert (found['tries'], found['at_rest'], found['named'], found['recovered']) == (3, 2, 2, 3)
    assert found['rest_p50_s'] == 0.2
    assert found['rest_max_s'] == 0.4
    assert found['heard'] == {'STALE': 3}
    assert found['intervals_95']['recovered'] == pytest.approx((0.292, 1.0), abs=1e-3)


def test_cancels_count_from_when_they_were_sent() -> None:
    found = cancel_summary([row(0.1), row(0.2), row(0.5)])
    assert (found['count'], found['within'], found['max_s']) == (3, 2, 0.5)


def test_every_fault_is_a_row_of_the_table_and_tells_its_name() -> None:
    rows = {fault.name: fault for group in ROWS.values() for fault in group}
    for fault in (*FAULTS, CANCEL):
        assert KINDS.get(fault.name, fault.name) in rows
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.mark.ros
@pytest.mark.usefixtures('ros')
def test_a_run_tries_what_a_file_does_not_hold_yet(tmp_path: Path) -> None:
    path, lines = tmp_path / 'faults.json', []
    names = ['joints_stop', 'stop']
    result = FaultRun(1, 0, 3, path, names).run(lines.append, lambda *_: None)
    assert json.loads(path.read_text())['faults'].keys() == set(names)
    for found in result['faults'].values():
        assert (found['tries'], found['named'], found['recovered']) == (1, 1, 1)
    assert len(lines) == 2
    assert 'left' in lines[0]
    assert FaultRun(1, 0, 3, path, names).run(lines.append, lambda *_: None) == result
    assert len(lines) == 2
    with pytest.raises(ValueError, match='other settings'):
        FaultRun(1, 0, 4, path)
