# SPDX-License-Identifier: Apache-2.0
"""The report is one whole page, whatever the run was."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from tests.fakes.run_logs import run_log, stitched
from vidplan_eval.viz import charts, report
from vidplan_eval.viz.imagination import executed_steps
from vidplan_eval.viz.report import write_run_report
from vidplan_eval.viz.runlog import RunLog
from vidplan_eval.viz.summary import deadlines, due_s
from vidplan_eval.viz.video import write_run_video
from vidplan_sim.expert.ending import true_ending

VOID = {'meta', 'img', 'br', 'link'}


class Page(HTMLParser):
    """Checks that every tag is closed, and collects words, tags and sources."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.words = ''
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ('src', 'href')]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


def read(path) -> Page:
    return Page(path.read_text(encoding='utf-8'))


def test_the_page_is_self_contained(tmp_path):
    log = run_log()
    video = write_run_video(log, tmp_path / 'run.mp4')
    facts = {'command': 'vidplan run "x"'}
    page = read(write_run_report(log, tmp_path / 'a.html', video_path=video, facts=facts))
    assert page.sources
    assert all(source.startswith('data:') for source in page.sources)
    assert page.sources[0].startswith('data:video/mp4;base64,')
    for words in ('move to the <carrot> & stop', 'SUCCESS', '1000000', 'vidplan run "x"'):
        assert words in page.words


@pytest.mark.parametrize(
    ('instruction', 'words'),
    [
        ('put the carrot in the bowl', 'put the carrot in the bowl; at rest above the carrot'),
        ('2026-11-28_bag', 'at rest above the carrot'),
    ],
)
def test_the_headline_says_what_was_done(tmp_path, instruction, words):
    log = replace(run_log(), instruction=instruction)
    page = read(write_run_report(log, tmp_path / 'a.html'))
    assert f'SUCCESS{words}' in page.words
    assert json.loads((tmp_path / 'a.json').read_text())['message'] == words
    assert replace(log, result=replace(log.result, success=False)).verdict == log.result.message


@pytest.mark.parametrize(('success', 'height_m'), [(True, 0.3), (True, 0.05), (False, 0.05)])
def test_the_headline_says_where_planner_and_truth_differ(tmp_path, success, height_m):
    places = {'carrot': np.array([0.5, 0.02, height_m]), 'bowl': np.array([0.5, 0.0, 0.02])}
    truth = true_ending('place', 'carrot', places, places, np.zeros(3))
    log = replace(
        run_log(success=success), instruction='put the carrot in the bowl', truth=truth
    )
    page = read(write_run_report(log, tmp_path / 'a.html'))
    numbers = json.loads((tmp_path / 'a.json').read_text())
    assert numbers['ground_truth']['done'] == (height_m < 0.1)
    assert '2.0 cm from the middle of the bowl' in page.words
    assert ('not by ground truth' in page.words) == (success != truth.done)
    assert ('put the carrot in the bowl;' in numbers['message']) == (success and truth.done)


def test_the_numbers_lie_beside_the_page(tmp_path):
    log = run_log()
    write_run_report(log, tmp_path / 'a.html', facts={'scene': '7'}, details={'more': [1]})
    numbers = json.loads((tmp_path / 'a.json').read_text())
    assert numbers['code'] == 'SUCCESS'
    assert numbers['facts'] == {'scene': '7'}
    assert numbers['more'] == [1]
    assert [row['latency_s'] for row in numbers['cycles']] == [p.latency_s for p in log.plans]
    assert len(numbers['imagined']) == len(executed_steps(log))


@pytest.mark.parametrize(
    ('factor', 'late'), [(1.0, 0), (2.0, 3)], ids=['0.4 s for a plan', '0.2 s for a plan']
)
def test_late_and_missing_plans_are_counted(factor, late):
    log = run_log()
    plans = [
        replace(plan, start_s=plan.stamp_s + 0.4, latency_s=0.3) for plan in log.plans[:3]
    ]
    result = replace(log.result, cycles=5)
    log = replace(log, plans=plans, result=result, real_time_factor=factor)
    found = deadlines(log)
    assert (found['late'], found['timed'], found['missing']) == (late, 3, 2)
    assert found['p99_s'] is None  # of three there is no 99th percentile
    assert f'{late} of 3' in cards_of(log)
    found = deadlines(replace(log, result=replace(result, late=2)))
    assert (found['late'], found['timed'], found['missing']) == (late + 2, 5, 0)


def test_a_plan_may_take_as_long_as_simulated_time_then_passed():
    log = run_log()
    plan = replace(log.plans[0], start_s=log.plans[0].stamp_s + 0.4, real_time_factor=0.1)
    assert due_s(log, plan) == pytest.approx(4.0)
    log.real_time_factor = 0.5
    assert due_s(log, replace(plan, real_time_factor=math.nan)) == pytest.approx(0.8)


def cards_of(log) -> str:
    return report._cards(log, [])


def test_the_futures_of_candidates_are_shown(tmp_path):
    log = run_log()
    futures = np.stack([stitched(k) for k in range(6)])
    log.plans = [replace(plan, futures=futures, terms={'value': 0.5}) for plan in log.plans]
    words = write_run_report(log, tmp_path / 'a.html').read_text()
    assert words.count('class="chosen"') == len(log.plans)
    assert words.count('<figcaption>') == 6 * len(log.plans)
    assert 'Worst moments' in words


def test_a_large_video_is_linked(tmp_path, monkeypatch):
    monkeypatch.setattr(report, 'EMBED_LIMIT_BYTES', 10)
    video = write_run_video(run_log(), tmp_path / 'run.mp4')
    page = read(write_run_report(run_log(), tmp_path / 'sub' / 'a.html', video_path=video))
    assert page.sources[0] == '../run.mp4'


@pytest.mark.parametrize(
    'log',
    [RunLog('move'), RunLog('move', seen=run_log().seen), run_log(3), run_log(success=False)],
    ids=['nothing', 'no plans', 'one plan', 'failure'],
)
def test_every_run_has_a_page(tmp_path, log):
    page = read(write_run_report(log, tmp_path / 'a.html'))
    assert 'h1' in page.tags
    assert '$' not in page.words


def test_the_instruction_cannot_add_markup(tmp_path):
    log = RunLog('<script>alert(1)</script>')
    assert 'script' not in read(write_run_report(log, tmp_path / 'a.html')).tags


@pytest.mark.parametrize(
    ('values', 'drawn'),
    [([1.0, 2.0, 3.0], True), ([1.0], False), ([float('nan'), 1.0, 1.0], True), ([], False)],
)
def test_charts_need_two_numbers(values, drawn):
    assert bool(charts.line(list(range(len(values))), values, 'score')) == drawn
