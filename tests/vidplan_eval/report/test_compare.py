# SPDX-License-Identifier: Apache-2.0
"""Two runs or two results beside each other, on numbers whose difference is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.run_logs import run_log
from vidplan.cli.main import main
from vidplan_core.errors import ConfigError
from vidplan_eval.report.compare import compare, difference
from vidplan_eval.viz.report import write_run_report


def result(successes: str) -> dict[str, Any]:
    rows = [{'seed': seed, 'success': mark == '1'} for seed, mark in enumerate(successes)]
    return {'rows': rows}


def test_evaluations_are_paired_by_seed() -> None:
    (found,) = compare(result('111111110000'), result('1111000000001'))
    assert (found.pairs, found.first, found.second) == (12, pytest.approx(8 / 12), 4 / 12)
    assert found.difference == pytest.approx(4 / 12)
    low, high = found.interval_95 or (0, 0)
    assert low < found.difference <= high
    assert 'p = 0.125' in found.name  # 4 gains, no loss: 2 / 2^4
    assert 'too few' not in found.line


def test_equal_pairs_differ_by_nothing() -> None:
    found = difference('x', {1: 0.5, 2: 0.7}, {1: 0.5, 2: 0.7, 3: 9.0})
    assert found is not None
    assert (found.difference, found.interval_95, found.pairs) == (0.0, (0.0, 0.0), 2)
    assert 'too few to rely on' in found.line


def test_one_pair_has_no_interval() -> None:
    found = difference('x', {1: 0.5}, {1: 0.25})
    assert found is not None
    assert found.interval_95 is None
    assert difference('x', {1: 0.5}, {2: 0.5}) is None


def test_what_cannot_be_compared_is_named() -> None:
    with pytest.raises(ConfigError, match='one is a run, the other an evaluation'):
        compare(result('1'), {'cycles': [], 'imagined': []})
    with pytest.raises(ConfigError, match='nothing is in both'):
        compare({'cycles': [], 'imagined': []}, {'cycles': [], 'imagined': []})


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    folders = []
    for name, frames in (('a', 9), ('b', 7)):
        folder = tmp_path / name
        write_run_report(run_log(frames), folder / 'report.html')
        folders.append(str(folder))
    return folders


def test_the_command_tells_about_a_run(
    runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (runs[0], f'{runs[0]}/report.html', f'{runs[0]}/report.json'):
        assert main(['report', name]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].endswith('SUCCESS')
        assert 'plans late' in lines[2]
        assert lines[-1] == f'{runs[0]}/report.html'


def test_the_command_compares_two_runs(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / 'found.json'
    assert main(['report', 'compare', *runs, '--json', str(path)]) == 0
    out = capsys.readouterr().out
    assert 'too few to rely on' in out
    found = json.loads(path.read_text())['found']
    same = {one['name']: one['difference'] for one in found}
    assert (same['plan latency [s]'], same['score']) == (0.0, 0.0)
