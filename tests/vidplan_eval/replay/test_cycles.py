# SPDX-License-Identifier: Apache-2.0
"""A recorded run, planned again: the same numbers to the bit, or a word on what is missing."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.recorded_run import CYCLES, INSTRUCTION, record_run
from tests.fakes.tiny_system import tiny_system
from vidplan.cli.evaluate import loading
from vidplan.cli.recordings import replay
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.bags.recording import FEEDBACK, OBSERVATION, STATUS
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.storage.stored import BagError
from vidplan_eval.replay.cycles import CycleAgain, digest, plan_again


@pytest.fixture(scope='module')
def bag_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_run(tmp_path_factory.mktemp('run'), make_system())


def make_system(**changes: object) -> PlanningSystem:
    return tiny_system(refine_iterations=1, **changes)


def again(path: Path, system: PlanningSystem) -> list[CycleAgain]:
    with Bag(path) as bag:
        return list(plan_again(bag, system, INSTRUCTION))


def test_numbers_are_those_of_the_run_to_the_bit(bag_path: Path) -> None:
    cycles = again(bag_path, make_system())
    assert [cycle.online.cycle for cycle in cycles] == list(range(1, CYCLES + 1))
    assert [cycle.largest_difference for cycle in cycles] == [0.0] * CYCLES
    assert [bool(cycle.online.scores) for cycle in cycles] == [True, False, True]
    assert all(cycle.online.terms for cycle in cycles)
    assert digest(cycles) == digest(again(bag_path, make_system()))


def test_what_was_planned_otherwise_is_noticed(bag_path: Path) -> None:
    cycles = again(bag_path, make_system(seed=1))
    assert max(cycle.largest_difference for cycle in cycles) > 1e-6
    assert digest(cycles) != digest(again(bag_path, make_system()))


@pytest.mark.parametrize(
    ('known', 'same'),
    [({}, True), ({'score': 9.0}, False), ({'terms': {}}, False), ({'scores': (1.0,)}, False)],
)
def test_every_number_counts(bag_path: Path, known: dict[str, object], same: bool) -> None:
    cycle = again(bag_path, make_system())[0]
    changed = CycleAgain(replace(cycle.online, **known), cycle.result)
    assert (changed.largest_difference == 0.0) == same


@pytest.mark.parametrize(
    ('without', 'words'),
    [
        (FEEDBACK, 'has no feedback of a goal'),
        (OBSERVATION, 'lacks an observation that cycle 1 was planned from'),
        (STATUS, 'lacks the status that cycle 2 was planned from'),
    ],
)
def test_what_a_recording_lacks_is_said(tmp_path: Path, without: str, words: str) -> None:
    path = record_run(tmp_path, make_system(), (without,))
    with pytest.raises(BagError, match=words):
        again(path, make_system())


@pytest.mark.parametrize(('seed', 'status'), [(0, 0), (1, 1)], ids=['the same', 'another seed'])
def test_the_command_says_whether_all_are_equal(
    bag_path: Path, tmp_path: Path, seed: int, status: int, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(loading, 'load_system', lambda args, **_: make_system(seed=seed))
    parser = argparse.ArgumentParser()
    replay.add_parser(parser.add_subparsers())
    found = tmp_path / 'again.json'
    args = parser.parse_args(['replay', str(bag_path), '--again', '--json', str(found)])
    assert replay.run(args) == status
    equal = json.loads(found.read_text())['equal']
    assert (equal == CYCLES) == (status == 0)
    assert f'{equal} of {CYCLES} cycles equal to the bit' in capsys.readouterr().out
