# SPDX-License-Identifier: Apache-2.0
"""Every row of docs/safety.md names an error that exists, and marks name rows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.faults.rows import ROWS, Fault
from tests.faults.table import marked_tests, page

ROOT = Path(__file__).resolve().parents[2]
FAULTS = [fault for rows in ROWS.values() for fault in rows]
MESSAGES = ('src/vidplan_msgs/msg/AdapterStatus.msg', 'src/vidplan_msgs/action/PlanTask.action')
# Of commands, which docs/troubleshooting.md tells about.
OTHERS = {'INVALID_CONFIG', 'INVALID_MODEL', 'RECORDING_FAILED'}


@pytest.mark.parametrize('fault', FAULTS, ids=lambda fault: fault.name)
def test_errors_exist(fault: Fault) -> None:
    text = ''.join((ROOT / name).read_text(encoding='utf-8') for name in MESSAGES)
    known = OTHERS | set(re.findall(r'^uint16 (\w+)=', text, re.MULTILINE))
    assert {error for error in fault.error.split(', ') if error.isupper()} <= known


def test_names_are_unique() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)


def test_a_marked_test_is_found_also_in_a_parameter(tmp_path: Path) -> None:
    (tmp_path / 'test_a.py').write_text(
        "@pytest.mark.fault('stop', 'cancel')\ndef test_one(): ...\n"
        "@pytest.mark.parametrize('x', [pytest.param(1, marks=pytest.mark.fault('reflex'))])\n"
        'def test_two(x): ...\n'
    )
    found = marked_tests(tmp_path)
    assert found == {
        'stop': ['test_a.py::test_one'], 'cancel': ['test_a.py::test_one'],
        'reflex': ['test_a.py::test_two'],
    }  # fmt: skip
    written = page(tmp_path)
    assert '`STOP_REQUESTED` | `test_a.py::test_one` |' in written
    assert '**none**' in written


def test_a_mark_that_names_no_row_is_an_error(tmp_path: Path) -> None:
    (tmp_path / 'test_a.py').write_text("@pytest.mark.fault('reflexx')\ndef test_one(): ...\n")
    with pytest.raises(KeyError, match='is reflex meant'):
        marked_tests(tmp_path)
