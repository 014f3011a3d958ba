# SPDX-License-Identifier: Apache-2.0
"""The report on result files: statistics by oracles, and no rate without count and interval."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest

from vidplan_core.errors import ConfigError
from vidplan_eval.report.document import Figure, ReportSection, ReportTable, to_html, to_markdown
from vidplan_eval.report.paired import headroom, paired_test
from vidplan_eval.report.report import write_report
from vidplan_eval.report.results import Case, Results, read_results
from vidplan_eval.report.sections import paper
from vidplan_eval.report.words import difference_words, p_words, rate_words
from vidplan_eval.results import write_json
from vidplan_eval.suites.pick_place.episode import PickPlaceRow
from vidplan_eval.suites.pick_place.summary import summarise_clutter, summarise_pick_place


def outcomes(gains: int, losses: int, both: int = 0, neither: int = 0):
    pairs = [(1, 0)] * gains + [(0, 1)] * losses + [(1, 1)] * both + [(0, 0)] * neither
    return tuple({n: bool(pair[k]) for n, pair in enumerate(pairs)} for k in (0, 1))


def by_hand(gains: int, losses: int) -> float:
    """Two-sided: how often a fair coin is at least as one-sided."""
    flips = itertools.product((0, 1), repeat=gains + losses)
    heads = np.array([sum(flip) for flip in flips])
    return float(np.mean(abs(heads - (gains + losses) / 2) >= abs(gains - losses) / 2))


@pytest.mark.parametrize(('gains', 'losses'), [(1, 0), (5, 0), (6, 2), (3, 3), (1, 8)])
def test_p_is_that_of_a_fair_coin(gains, losses):
    found = paired_test(*outcomes(gains, losses, both=4, neither=3))
    assert found.p_value == pytest.approx(by_hand(gains, losses))
    assert (found.pairs, found.gains, found.losses) == (gains + losses + 7, gains, losses)
    assert found.difference == pytest.approx((gains - losses) / found.pairs)
    low, high = found.interval_95
    assert low <= found.difference <= high
    assert (low > 0 or high < 0) == (found.p_value < 0.05)


def test_no_difference_at_all_is_no_proof_of_none():
    found = paired_test(*outcomes(0, 0, both=10))
    assert (found.p_value, found.difference) == (1.0, 0.0)
    assert found.interval_95 == pytest.approx((-0.3085, 0.3085), abs=1e-4)


def test_only_common_episodes_are_pairs():
    found = paired_test({1: True, 2: True}, {2: False, 3: False})
    assert (found.pairs, found.gains) == (1, 1)
    assert paired_test({1: True}, {2: True}) is None


def test_the_share_of_the_headroom():
    keys = range(40)
    policy = {key: key < 10 for key in keys}
    oracle = {key: key < 30 for key in keys}
    half = {key: key < 20 for key in keys}
    found = headroom(policy, half, oracle)
    assert (found.episodes, found.headroom, found.realised) == (40, 0.5, 0.5)
    assert 0.2 < found.interval_95[0] < 0.5 < found.interval_95[1] < 0.8
    assert headroom(policy, policy, policy).realised is None
    assert headroom(policy, half, {}) is None


def test_words_carry_their_intervals():
    assert rate_words(7, 10) == '7 of 10: 70 % [35, 93]'
    assert rate_words(0, 0) == '-'
    assert difference_words(0.12, 0.03, 0.21) == '+12 points [3, 21]'
    assert [p_words(p) for p in (1e-6, 0.0312, 1.0)] == ['< 0.0001', '0.0312', '1.00']


def test_a_document_is_the_same_in_both_languages():
    figure = Figure('a.png', b'\x89PNG', 'a picture')
    parts = ['a < b', ReportTable(['x|y', 'z'], [['1', '2']]), figure]
    markdown, page = (form('T', [ReportSection('S', parts)]) for form in (to_markdown, to_html))
    assert '## S\n\na < b\n\n| x\\|y | z |\n| --- | --- |\n| 1 | 2 |' in markdown
    assert '![a picture](a.png)' in markdown
    assert '<h2>S</h2><p>a &lt; b</p>' in page
    assert 'src="data:image/png;base64,iVBORw==' in page


TASKS = ('tape', 'carrot')


def write(folder: Path, method: str, base: str, successes: int, *, first: int = 800_000) -> None:
    """Result files of both tasks, ten episodes each, and one of clutter."""
    def rows(task: str, level: int) -> list[PickPlaceRow]:
        return [
            PickPlaceRow(first + n, task, task, 'x', ('mug',) * level, success=n < successes,
                         done=n < 5, done_rightly=n < min(5, successes), followed=n < 8,
                         failure='' if n < successes else 'touched nothing', latencies_s=[0.3])
            for n in range(10)
        ]  # fmt: skip

    named = {'base': base, 'method': method, 'settings': {'models': 'm', 'workers': 2}}
    for task in TASKS:
        said = {'suite': 'pick_place', 'task': task, **named}
        name = f'{task}_{method}_{first}.json'
        write_json(folder / name, summarise_pick_place(said, rows(task, 4), 10))
    said = {'suite': 'clutter', 'task': 'tape', **named}
    both = [*rows('tape', 0), *rows('tape', 5)]
    write_json(folder / f'clutter_{method}_{first}.json', summarise_clutter(said, both, 20))


@pytest.fixture
def folder(tmp_path):
    for method, base, successes in (
        ('vidplan', 'words', 8), ('policy', 'words', 2), ('oracle_of_n', 'words', 10),
        ('expert', '', 10),
    ):  # fmt: skip
        write(tmp_path, method, base, successes)
    phantom = {'phantom_chosen': 3, 'judged': 40}
    planner = {'combination': 'entropy_weighted'}
    hacking = {'suite': 'hacking', 'settings': {'planner': planner}, 'with_uncertainty': phantom}
    write_json(tmp_path / 'hacking.json', hacking)
    (tmp_path / 'notes.json').write_text('{"hello": 1}')
    return tmp_path


def test_the_report_compares_all_that_is_there(folder):
    markdown, page = (path.read_text() for path in write_report(folder))
    assert '| vidplan (words) | 8 of 10: 80 % [44, 97] | 8 of 10: 80 % [44, 97] |' in markdown
    assert '| tape | 4 of 20: 20 % [6, 44] | 15 of 20: 75 % [51, 91] | 2 of 10' in markdown
    assert '| entropy weighted | with uncertainty | 3 of 40: 8 % [2, 20] |' in markdown
    pair = '| vidplan (words) | policy (words) | pooled | 20 | 12 | 0 | '
    assert f'{pair}+60 points [28, 60] | 0.0005 |' in markdown
    assert '| 4 | words | 20 | +80 points | 0.75 [' in markdown
    assert '| with uncertainty | 3 of 40: 8 % [2, 20] |' in markdown
    assert '20 of 20: 100 % [83, 100] |' in markdown
    assert '10 of 10 seeds are below 1000000' in markdown
    assert 'Not read: notes.json.' in markdown
    assert page.count('data:image/png') == 3
    assert (folder / 'clutter_followed.png').read_bytes().startswith(b'\x89PNG')


def test_no_percentage_is_bare(folder):
    """A rate has its count in front and its interval behind; the paper's curve says why not."""
    markdown, _ = (path.read_text() for path in write_report(folder))
    body = markdown.replace('95 %', '').replace('99 %', '')
    rates = re.findall(r'\d+ %', body)
    worded = re.findall(r'\d+ of \d+: \d+ % \[\d+, \d+\]', body)
    told = re.findall(r'\d+ % \(no count given\)', body)
    assert len(rates) == len(worded) + len(told) > 20


def test_seeds_of_several_files_are_pooled_but_never_twice(folder):
    write(folder, 'vidplan', 'words', 8, first=900_000)
    found = read_results(folder)
    assert {len(rows) for rows in found.of('pick_place', method='vidplan').values()} == {20}
    source = folder / 'tape_vidplan_800000.json'
    (folder / 'copy.json').write_text(source.read_text())
    with pytest.raises(ConfigError, match='seed 800000 of vidplan .tape. once more'):
        read_results(folder)


def test_a_folder_without_results_says_how_to_get_some(tmp_path):
    (tmp_path / 'broken.json').write_text('{')
    with pytest.raises(ConfigError, match='vidplan evaluate --suite pick_place --json'):
        write_report(tmp_path)


def test_what_refinement_keeps_of_its_promise_is_told(folder):
    pair = {'step': 3, 'states': 200}
    for part, value in (
        ('predicted', 0.4), ('realised', 0.3), ('gap', 0.1), ('frames_saved', 1.0),
    ):  # fmt: skip
        pair |= {part: value, f'{part}_interval_95': [value - 0.05, value + 0.05]}
    nothing = dict.fromkeys(pair) | {'step': 6, 'states': 0}
    curves = {'with_uncertainty': [pair, nothing]}
    (folder / 'r.json').write_text(json.dumps({'suite': 'refinement', 'curves': curves}))
    markdown = write_report(folder, folder / 'out')[0].read_text()
    gains = ' | '.join(f'{g:.3f} [{g - 0.05:.3f}, {g + 0.05:.3f}]' for g in (0.4, 0.3, 0.1, 1.0))
    assert f'| with uncertainty | 3 | 200 | {gains}' in markdown


def test_gains_of_several_tasks_are_pooled(folder):
    for number, gain in enumerate((0.2, 0.4)):
        row = {'uncertainty_weighting': True, 'steps': 3, 'predicted': gain, 'realised': gain / 2}
        rows = [row | {'gap': gain / 2, 'frames_saved': 0.0}, row | {'predicted': None}]
        result = {'suite': 'refinement', 'curves': {}, 'rows': rows}
        (folder / f'refinement_{number}.json').write_text(json.dumps(result))
    markdown = write_report(folder, folder / 'out')[0].read_text()
    assert '| with uncertainty | 3 | 2 | 0.300 [0.200, 0.400] | 0.150 [0.100, 0.200]' in markdown


def test_plans_without_their_policy_server_are_told_first(tmp_path):
    note = 'POLICY_SERVER_FAILED: SILENT: no answer'
    rows = [
        PickPlaceRow(1_000_000 + n, 'fish', 'fish', 'x', plans=9, noted_plans=4 * n, note=note * n)
        for n in (0, 1)
    ]
    named = {'suite': 'pick_place', 'task': 'fish', 'base': 'server', 'method': 'policy'}
    write_json(tmp_path / 'server.json', summarise_pick_place(named, rows, 2))
    markdown = write_report(tmp_path)[0].read_text()
    told = f'policy (server), fish: 4 of 18 plans were out of the ordinary, such as: {note}'
    assert markdown.index('What was run') < markdown.index(told) < markdown.index('Overview')


def test_the_papers_table_has_the_towel_whichever_base_was_named():
    rows = {1: {'success': True}, 2: {'success': False}}
    cases = {
        Case('fold', 'towel', 'grounded', 'vidplan', 0): rows,
        Case('pick_place', 'pea', 'grounded', 'vidplan', 4): rows,
    }
    (section,) = paper(Results(cases))
    table = to_markdown('', [section])
    assert re.search(r'\| towel \|.*\| 1 of 2: 50 %', table)
    assert not re.search(r'\| pea \|.*\| 1 of 2', table)
