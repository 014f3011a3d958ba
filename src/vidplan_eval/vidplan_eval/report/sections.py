# SPDX-License-Identifier: Apache-2.0
"""The sections of a report on the bowl tasks: who succeeds, who follows, who knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from vidplan_core.metrics.intervals import percentile
from vidplan_eval.report.document import Part, ReportSection, ReportTable
from vidplan_eval.report.paper import TABLE_1, TRIALS
from vidplan_eval.report.results import (
    FOLD,
    PUSH,
    TOWEL,
    Case,
    Results,
    Row,
    count,
    rows_of,
)
from vidplan_eval.report.words import NOTHING, number_words, rate_words

PLACE = 'pick_place'
POLICY, OURS, WORDS = 'policy', 'vidplan', 'words'
# From the bounds over ours and its ablations to the baselines; others follow by name.
ORDER = ('expert', 'oracle_of_n', OURS, 'scripted', POLICY)

Cases = Mapping[Case, Mapping[int, Row]]
# A method with the base that it plans on top of, '' for none.
Named = tuple[str, str]


def methods_of(cases: Iterable[Case]) -> list[Named]:
    """Methods with their bases, each once, in the order of tables."""
    found = {(case.method, case.base) for case in cases}
    last = ORDER.index(OURS) + 0.5
    rank = {name: float(place) for place, name in enumerate(ORDER)}
    return sorted(found, key=lambda named: (named[1], rank.get(named[0], last), named[0]))


def label(named: Named) -> str:
    """A method's words in a table."""
    method, base = named
    return f'{method} ({base})' if base else method


def levels_of(found: Results) -> list[int]:
    """Numbers of distractors of the bowl tasks."""
    return sorted({case.distractors for case in found.of(PLACE)})


def success(found: Results) -> list[ReportSection]:
    """Success of every method at every task, a section for each number of distractors."""
    sections = []
    for level in levels_of(found):
        cases = {**found.of(PLACE, distractors=level), **found.of(FOLD)}
        title = f'Success, {level} distractors'
        sections.append(ReportSection(title, [_by_task(cases, 'success')]))
    if not sections and found.of(FOLD):
        sections.append(ReportSection('Success', [_by_task(found.of(FOLD), 'success')]))
    return sections


def pushing(found: Results) -> list[ReportSection]:
    """Pushing along the table: who succeeds, and who knows it."""
    cases = found.of(PUSH)
    if not cases:
        return []
    rows = []
    for named in methods_of(cases):
        of = _rows(cases, named)
        claimed = [row for row in of if row['done']]
        rates = [_rate(of, 'success'), _rate(claimed, 'done_rightly'), _rate(of, 'fell')]
        rows.append([label(named), *rates])
    head = ['method', 'pushed', 'right, of those called done', 'fell over']
    return [ReportSection('Pushing', [ReportTable(head, rows)])]


def following(found: Results) -> list[ReportSection]:
    """How often the named object was meant, by every reading of that."""
    words = (
        'The instruction is followed if the tool is over the named object when the first object '
        'is touched or moved by more than 1.5 cm. An open hand that goes down between close '
        "neighbours brushes them, also an expert's: how often the named object is itself the "
        'first to be moved and to be touched stands beside.'
    )
    sections = []
    for level in levels_of(found):
        cases = found.of(PLACE, distractors=level)
        keys = {
            'moved it first': 'moved_named',
            'touched it first': 'touched_named',
            'lifted it': 'lifted_named',
            'another in the bowl': 'wrong_in_bowl',
        }
        pooled = ReportTable(
            ['pooled', *keys],
            [
                [label(named), *(_rate(_rows(cases, named), key) for key in keys.values())]
                for named in methods_of(cases)
            ],
        )
        parts: list[Part] = [words, _by_task(cases, 'followed'), pooled]
        sections.append(ReportSection(f'Instruction followed, {level} distractors', parts))
    return sections


def paper(found: Results) -> list[ReportSection]:
    """The paper's Table 1 beside ours: the policy that reads words, alone and planned upon."""
    head = ['task', 'pi0.5 (paper)', 'VidPlan (paper)', 'policy (ours)', 'vidplan (ours)']
    level = max(levels_of(found), default=0)
    cases = {**found.of(PLACE, distractors=level), **found.of(FOLD)}
    if not cases:
        return []
    rows = []
    for task, (policy, planned) in TABLE_1.items():
        of_task = {case: rows for case, rows in cases.items() if case.task == task}
        # A towel is folded by no policy, so whichever base was named counts.
        base = {case.base for case in of_task} if task == TOWEL else {WORDS}
        ours = [
            _rate([row for b in sorted(base) for row in _rows(of_task, (m, b))], 'success')
            for m in (POLICY, OURS)
        ]
        rows.append([task, rate_words(policy, TRIALS), rate_words(planned, TRIALS), *ours])
    words = (
        f'Real trials of the paper, simulated ones here ({level} distractors, base {WORDS}); the '
        f'paper gives percentages of {TRIALS} trials. Brackets: exact 95 % intervals.'
    )
    return [ReportSection("The paper's Table 1", [words, ReportTable(head, rows)])]


def judgement(found: Results) -> list[ReportSection]:
    """Whether methods know when they are done."""
    cases = found.of(PLACE)
    if not cases:
        return []
    rows = []
    for named in methods_of(cases):
        of = _rows(cases, named)
        claimed, succeeded = [r for r in of if r['done']], [r for r in of if r['success']]
        unnoticed = sum(not row['done'] for row in succeeded)
        rows.append(
            [
                label(named),
                _rate(claimed, 'done_rightly'),
                rate_words(unnoticed, len(succeeded)),
            ]
        )
    head = ['method', 'right, of those called done', 'missed, of those that were']
    return [ReportSection('Judging that it is done', [ReportTable(head, rows)])]


def speed(found: Results) -> list[ReportSection]:
    """How long plans took, and how many were late; only methods that choose among candidates."""
    cases = found.of(PLACE)
    rows = []
    for named in methods_of(cases):
        of = _rows(cases, named)
        latencies = [latency for row in of for latency in row['latencies_s']]
        if not latencies:
            continue
        late = sum(row['late_plans'] for row in of)
        p50_s, p99_s = (percentile(latencies, share) for share in (50.0, 99.0))
        words = [number_words(value, 's', 3) for value in (p50_s, p99_s)]
        rows.append([label(named), *words, rate_words(late, len(latencies))])
    if not rows:
        return []
    note = 'Wall clock while as many processes as the settings say shared the machine.'
    head = ['method', 'median', '99 %', 'late plans']
    return [ReportSection('Speed', [note, ReportTable(head, rows)])]


def failures(found: Results) -> list[ReportSection]:
    """What went wrong, by method."""
    cases = found.of(PLACE)
    tallies = {
        named: Counter(row['failure'] for row in _rows(cases, named) if row['failure'])
        for named in methods_of(cases)
    }
    kinds = sorted({kind for tally in tallies.values() for kind in tally})
    if not kinds:
        return []
    rows = [
        [label(named), str(len(_rows(cases, named))), *(str(tally[kind]) for kind in kinds)]
        for named, tally in tallies.items()
    ]
    return [ReportSection('Failures', [ReportTable(['method', 'episodes', *kinds], rows)])]


def _by_task(cases: Cases, key: str) -> ReportTable:
    """Rates of something, methods down, tasks across, and the bowl tasks pooled."""
    tasks = [task for task in TABLE_1 if any(case.task == task for case in cases)]
    rows = []
    for named in methods_of(cases):
        of_task = [
            _rows({case: of for case, of in cases.items() if case.task == task}, named)
            for task in tasks
        ]
        bowls = [row for task, of in zip(tasks, of_task) if task != TOWEL for row in of]
        rows.append([label(named), *(_rate(of, key) for of in of_task), _rate(bowls, key)])
    return ReportTable(['method', *tasks, 'bowl tasks pooled'], rows)


def _rows(cases: Cases, named: Named) -> list[Row]:
    return rows_of({c: rows for c, rows in cases.items() if (c.method, c.base) == named})


def _rate(rows: Sequence[Row], key: str) -> str:
    return rate_words(count(rows, key), len(rows)) if rows else NOTHING
