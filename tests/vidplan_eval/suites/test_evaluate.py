# SPDX-License-Identifier: Apache-2.0
"""Suites: what counts as success, what a crash costs, what the result file says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.fakes.fake_world import OracleSystem
from vidplan.cli.evaluate import command
from vidplan_core.geometry.camera_files import default_layout
from vidplan_eval.episode import FIRST_EVALUATION_SEED, check_reached, make_episode
from vidplan_eval.lockstep import LockStep, Pace
from vidplan_eval.results import duration_text, plain, write_json
from vidplan_eval.suites.choice import ChoiceRow, summarise_choices
from vidplan_eval.suites.reach import ReachOutcome, Row, run_episode, run_episodes, summarise
from vidplan_eval.world import World
from vidplan_sim.cell import Cell

FLANGE_OVER_OBJECT_M = 0.1034 + 0.07
TRUTH = {
    'carrot': np.array([0.5, 0.1, 0.02]),
    'fish': np.array([0.5, -0.02, 0.03]),
    'bowl': np.array([0.4, 0.1, 0.03]),
}


@pytest.fixture(scope='module')
def world():
    world = World(Cell(48, 80), default_layout().resized(24, 40), 0.2)
    yield world
    world.cell.close()


@pytest.mark.parametrize(
    ('offset', 'at_rest', 'reason'),
    [
        ((0.0, 0.0, 0.1), True, ''),
        ((0.03, 0.03, 0.1), True, ''),
        ((0.0, 0.0, 0.1), False, 'not at rest'),
        ((0.05, 0.03, 0.1), True, '5.8 cm away'),
        ((0.0, -0.07, 0.1), True, 'nearer to the fish'),
        ((-0.06, 0.0, 0.1), True, 'nearer to the bowl'),
        ((0.0, 0.0, 0.151), True, '15.1 cm above'),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_success_needs_all_conditions(offset, at_rest, reason):
    found = check_reached(TRUTH['carrot'] + offset, TRUTH, 'carrot', at_rest=at_rest)
    assert (found.success, found.reason) == (not reason, reason)


def test_episodes_are_those_of_their_seed():
    first, again = (make_episode(FIRST_EVALUATION_SEED + 3) for _ in range(2))
    assert first == again
    assert len(first.scene.objects) == 4
    assert first.kind in {placement.kind for placement in first.scene.objects}
    assert first.instruction.startswith('move to the ')
    kinds = {make_episode(FIRST_EVALUATION_SEED + step).kind for step in range(30)}
    assert len(kinds) > 6


def oracle(world: World, seed: int, **changes) -> OracleSystem:
    """Return a planner that was told where the named object is."""
    episode = make_episode(seed)
    world.reset(episode.scene)
    goal = world.cell.truth()[episode.kind] + np.array([0.0, 0.0, FLANGE_OVER_OBJECT_M])
    return OracleSystem(goal, visible=(), **changes)


def test_a_planner_that_knows_succeeds_in_the_cell(world):
    seed = FIRST_EVALUATION_SEED
    loop = LockStep(oracle(world, seed), world, Pace(2))
    outcome = run_episode(loop, world, make_episode(seed))
    row = outcome.row
    assert (row.success, row.ended, row.rejected, row.error) == (True, 'DONE', 0, '')
    assert row.horizontal_m < 0.01
    assert row.start_m > row.horizontal_m
    assert 0 < len(outcome.latencies_s) <= row.cycles > 2
    assert outcome.run.log.seed == seed


def test_the_same_seed_gives_the_same_episode_bit_by_bit(world):
    seed = FIRST_EVALUATION_SEED + 1
    rows = []
    for _ in range(2):
        loop = LockStep(oracle(world, seed), world, Pace(2, limit_s=3.0))
        outcome = run_episode(loop, world, make_episode(seed))
        rows.append((outcome.row.horizontal_m, [f.q.tolist() for f in outcome.run.log.seen]))
    assert rows[0] == rows[1]


def test_a_crash_is_a_failed_row_and_costs_nothing_else(world):
    seeds = [FIRST_EVALUATION_SEED, FIRST_EVALUATION_SEED + 1]
    system = oracle(world, seeds[1], error=ZeroDivisionError('oops'), error_cycle=0)
    loop = LockStep(system, world, Pace(2, limit_s=2.0))
    crashed = next(run_episodes(loop, world, seeds, 4))
    assert (crashed.row.success, crashed.row.ended) == (False, 'CRASH')
    assert 'oops' in crashed.row.error
    system.error = None
    assert run_episode(loop, world, make_episode(seeds[1])).row.ended == 'TIME_LIMIT'


def test_a_named_error_ends_its_episode_only(world):
    system = oracle(world, FIRST_EVALUATION_SEED)
    system.visible = ('unicorn',)
    outcome = run_episode(LockStep(system, world, Pace(2)), world, make_episode(1_000_000))
    assert (outcome.row.ended, outcome.row.success) == ('TARGET_NOT_FOUND', False)


def test_the_result_counts_and_is_json(tmp_path):
    rows = [
        Row(1, 'carrot', 'x', success=True, ended='DONE', done=True, horizontal_m=0.01),
        Row(2, 'fish', 'x', ended='DONE', done=True, reason='6.0 cm away'),
        Row(3, 'pea', 'x', horizontal_m=float('nan')),
    ]
    outcomes = [ReachOutcome(row, latencies_s=[0.1, 0.3]) for row in rows]
    result = summarise('reach', 'vidplan', 7, outcomes, 50)
    path = write_json(tmp_path / 'deep' / 'result.json', result)
    read = json.loads(path.read_text())
    assert [read[key] for key in ('episodes', 'successes', 'crashes')] == [3, 1, 1]
    assert (read['judged_done'], read['judged_done_rightly']) == (2, 1)
    assert read['rate'] == pytest.approx(1 / 3)
    assert read['interval_95'] == pytest.approx([0.0084, 0.9057], abs=1e-3)
    assert read['plan_latency_p50_s'] == pytest.approx(0.2)
    assert read['rows'][2]['horizontal_m'] is None
    assert [entry.name for entry in path.parent.iterdir()] == ['result.json']


def test_numpy_becomes_plain():
    value = {'a': np.float32(0.5), 'b': np.arange(2), 'c': (np.int64(3), float('inf')), 4: True}
    assert plain(value) == {'a': 0.5, 'b': [0, 1], 'c': [3, None], '4': True}


@pytest.mark.parametrize(('seconds', 'text'), [(5.4, '5s'), (185, '3m05s'), (3720, '1h02m')])
def test_durations_are_short(seconds, text):
    assert duration_text(seconds) == text


def choice_row(best: int, **chosen: int) -> ChoiceRow:
    distances = [0.3, 0.25, 0.3, 0.3, 0.3, 0.3]
    distances[best] = 0.2
    return ChoiceRow(0, 'carrot', distances, best, dict(chosen))


def test_choices_are_compared_with_all_baselines():
    rows = [
        choice_row(5, vidplan=5, no_world_model=5, true_futures=5),
        choice_row(5, vidplan=1, no_world_model=5, true_futures=5),
        choice_row(2, vidplan=2, no_world_model=0, true_futures=2),
        choice_row(5),
        ChoiceRow(4, 'fish', error='over the target'),
    ]
    result = summarise_choices(1, rows, 5)
    assert (result['episodes'], result['judged']) == (5, 4)
    assert result['always_the_same']['candidate'] == 5
    assert result['always_the_same']['rate'] == pytest.approx(0.75)
    assert result['vidplan']['rate'] == pytest.approx(0.5)
    assert result['vidplan']['undecided'] == 1
    # One wrong choice of three: 25 cm instead of 20 cm.
    assert result['vidplan']['regret_cm'] == pytest.approx(5.0 / 3)
    assert result['true_futures']['regret_cm'] == pytest.approx(0.0)


def test_no_judged_state_is_no_crash():
    result = summarise_choices(1, [ChoiceRow(0, 'pea', error='x')], 1)
    assert result['vidplan']['rate'] is None


def test_the_command_line_names_wrong_values(capsys):
    import argparse

    parser = command.add_parser(argparse.ArgumentParser().add_subparsers())
    assert parser.parse_args([]).seed == FIRST_EVALUATION_SEED == command.FIRST_EVALUATION_SEED
    with pytest.raises(SystemExit):
        parser.parse_args(['--episodes', '0'])
    assert 'not at least 1' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parser.parse_args(['--method', 'magic'])
