# SPDX-License-Identifier: Apache-2.0
"""Result files of the bowl tasks, and the work that is shared out to make them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial

import pytest

from vidplan.cli.evaluate import command, pick_place
from vidplan_core.errors import ConfigError
from vidplan_eval.results import write_json
from vidplan_eval.suites.pick_place.episode import PickPlaceRow, row_label
from vidplan_eval.suites.pick_place.names import METHODS, composition_of
from vidplan_eval.suites.pick_place.summary import summarise_clutter, summarise_pick_place
from vidplan_eval.suites.pick_place.work import PickPlacePiece
from vidplan_eval.suites.workers import WorkerDiedError, share_out

NAMED = {'suite': 'pick_place', 'task': 'fish', 'method': 'vidplan'}


def row(seed: int, *, ended: str = 'DONE', **changes) -> PickPlaceRow:
    done = ended == 'DONE'
    return PickPlaceRow(seed, 'fish', 'fish', 'x', ('mug',) * 4, ended=ended, done=done, **changes)


ROWS = [
    row(3, success=True, kept=True, done_rightly=True, followed=True, lifted_named=True,
        failure='', latencies_s=[0.1, 0.3], late_plans=1),
    row(1, ended='TIME_LIMIT', success=True, followed=True, lifted_named=True, failure=''),
    row(2, failure='lifted it and lost it', followed=True, lifted_named=True),
    row(0, ended='TIME_LIMIT', failure='touched nothing', latencies_s=[0.2]),
]  # fmt: skip


def test_the_result_counts_with_exact_intervals(tmp_path):
    path = write_json(tmp_path / 'r.json', summarise_pick_place(NAMED, ROWS, 50))
    found = json.loads(path.read_text())
    assert [found[key] for key in ('episodes', 'episodes_asked', 'successes')] == [4, 50, 2]
    assert found['rate'] == 0.5
    assert found['interval_95'] == pytest.approx([0.0676, 0.9324], abs=1e-4)
    assert found['instruction_following']['rate'] == 0.75
    assert found['instruction_following']['interval_95'] == pytest.approx([0.194, 0.994], abs=1e-3)
    assert (found['judged_done'], found['judged_done_rightly']) == (2, 1)
    assert [found['judgement'][key]['count'] for key in ('right', 'missed')] == [1, 1]
    assert (found['lifted_named'], found['late_plans']) == (3, 1)
    assert found['plan_latency_p50_s'] == pytest.approx(0.2)
    assert found['failures'] == {'lifted it and lost it': 1, 'touched nothing': 1}
    assert [entry['seed'] for entry in found['rows']] == [0, 1, 2, 3]


def test_clutter_counts_every_number_of_distractors():
    fewer = PickPlaceRow(9, 'fish', 'fish', 'x', ('mug',), success=True, failure='')
    found = summarise_clutter(NAMED, [*ROWS, fewer], 5)
    assert [(point['distractors'], point['successes'], point['episodes']) for point in
            found['curve']] == [(1, 1, 1), (4, 2, 4)]  # fmt: skip
    assert len(found['rows']) == 5


def test_no_latency_is_no_number():
    found = summarise_pick_place(NAMED, [row(1, failure='x')], 1)
    assert (found['plan_latency_p50_s'], found['late_plans']) == (None, 0)


def test_plans_that_were_not_all_ones_own_are_counted():
    odd = row(1, failure='x', plans=9, noted_plans=4, note='POLICY_SERVER_FAILED: SILENT')
    found = summarise_pick_place(NAMED, [row(0, failure='x', plans=5), odd], 2)
    assert (found['noted_plans'], found['note']) == (4, 'POLICY_SERVER_FAILED: SILENT')


def test_a_progress_line_says_what_came_of_it():
    words = ' '.join(row_label(ROWS[2]).split())
    assert words == 'FAIL 2 fish went for it DONE (lifted it and lost it)'


def start(words: str):
    """What every process loads; pieces are numbers."""
    return partial(work, words)


def work(words: str, piece: int) -> tuple[str, int]:
    if piece < 0:
        os._exit(3)
    return words, piece * piece


@pytest.mark.parametrize('workers', [1, 2])
def test_work_is_the_same_in_any_number_of_processes(workers):
    found = share_out(partial(start, 'squares'), range(5), workers)
    assert sorted(found) == [('squares', n * n) for n in range(5)]


def test_a_process_that_dies_is_named():
    with pytest.raises(WorkerDiedError, match='fewer than 2 workers'):
        list(share_out(partial(start, ''), [1, -1], 2))


def test_ray_is_asked_for_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(ConfigError, match='--ray needs the package ray, which cannot be imported'):
        list(share_out(partial(start, ''), [1], 2, ray='local'))


def test_work_is_the_same_on_a_ray_cluster():
    pytest.importorskip('ray.util')
    found = share_out(partial(start, 'squares'), range(5), 2, ray='local')
    assert sorted(found) == [('squares', n * n) for n in range(5)]


def parsed(*words: str) -> argparse.Namespace:
    parser = command.add_parser(argparse.ArgumentParser().add_subparsers())
    return parser.parse_args(words)


@pytest.mark.parametrize(
    ('words', 'pieces'),
    [
        (['--suite', 'pick_place', '--task', 'pea', '--seed', '7', '--episodes', '2'],
         [('pea', 7, 4), ('pea', 8, 4)]),
        (['--suite', 'clutter', '--task', 'tape', '--seed', '7', '--episodes', '1'],
         [('tape', 7, n) for n in range(6)]),
    ],
    ids=['pick_place', 'clutter'],
)  # fmt: skip
def test_the_command_line_says_which_episodes(words, pieces):
    assert pick_place._pieces(parsed(*words)) == [PickPlacePiece(*piece) for piece in pieces]


def test_the_command_line_refuses_what_cannot_be(tmp_path):
    for words in (('--distractors', '6'), ('--base', 'sentences')):
        with pytest.raises(SystemExit):
            parsed(*words)
    assert parsed('report', str(tmp_path)).what == 'report'
    assert parsed().what is None


@pytest.mark.parametrize('method', METHODS)
def test_every_method_has_a_composition_of_the_planner(method):
    config = pick_place._config(parsed('--suite', 'pick_place', '--method', method))
    assert config.method == composition_of(method)


def test_a_parameter_file_says_where_the_policy_server_is(tmp_path):
    file = tmp_path / 'mine.yaml'
    file.write_text(
        '/**/planner: {ros__parameters: {margin: 0.5, policy_server: {url: "ws://10.0.0.5:9"}}}'
    )
    words = ['--suite', 'pick_place', '--base', 'server', '--method', 'policy']
    config = pick_place._config(parsed(*words, '--params', str(file)))
    assert (config.base, config.method, config.margin) == ('server', 'policy', 0.5)
    assert config.policy_server.url == 'ws://10.0.0.5:9'
    assert config.policy_server.timeout_s == 1.0


@pytest.mark.parametrize(
    ('method', 'base'), [('vidplan', 'words'), ('oracle_of_n', 'words'), ('expert', '')]
)
def test_a_result_names_the_base_that_was_planned_upon(method, base, repository):
    words = ['--suite', 'pick_place', '--method', method, '--base', 'words']
    args = parsed(*words, '--models', str(repository / 'models' / 'cell'))
    args.time_limit = 18.0
    work = pick_place._work(args)
    assert work.config.base == 'words'
    assert pick_place._named(args, work)['base'] == base
