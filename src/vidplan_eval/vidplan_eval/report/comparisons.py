# SPDX-License-Identifier: Apache-2.0
"""Sections that compare methods on common seeds: paired tests, clutter, headroom, hacking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vidplan_eval.report.document import Figure, Part, ReportSection, ReportTable
from vidplan_eval.report.figures import bars, curves
from vidplan_eval.report.gains import gain_curves
from vidplan_eval.report.paired import Outcomes, PairedTest, headroom, paired_test
from vidplan_eval.report.paper import FIGURE_9
from vidplan_eval.report.results import FOLD, Results, Row, count, outcomes, rows_of
from vidplan_eval.report.sections import (
    OURS,
    PLACE,
    POLICY,
    Named,
    label,
    levels_of,
    methods_of,
)
from vidplan_eval.report.words import difference_words, p_words, rate_words

CLUTTER, ORACLE = 'clutter', 'oracle_of_n'
# A headroom below this is too small to speak of shares.
SMALL_HEADROOM = 0.05


def paired(found: Results) -> list[ReportSection]:
    """Ours against every other method, pooled over the bowl tasks and task by task."""
    sections = []
    for level in levels_of(found):
        rows = []
        for base in sorted({case.base for case in found.of(PLACE, method=OURS)}):
            for named in methods_of(found.of(PLACE, distractors=level)):
                if named[0] != OURS and named[1] in ('', base):
                    rows += _against(found, level, base, named)
        if rows:
            head = ['ours', 'against', 'task', 'pairs', 'only ours', 'only the other',
                    'difference', 'p']  # fmt: skip
            words = (
                'Episodes of the same task and seed. p: exact two-sided test of the pairs that '
                'differ (McNemar); brackets: 95 % interval of the difference, exact given their '
                'number.'
            )
            title = f'Paired comparisons of success, {level} distractors'
            sections.append(ReportSection(title, [words, ReportTable(head, rows)]))
    return sections


def clutter(found: Results) -> list[ReportSection]:
    """Success and following over the number of distractors, as the paper's Figure 9."""
    cases = found.of(CLUTTER) or found.of(PLACE)
    levels = sorted({case.distractors for case in cases})
    if len(levels) < 2:
        return []
    parts: list[Part] = []
    for key, title in (('followed', 'instruction followed'), ('success', 'success')):
        lines = {}
        for named in methods_of(cases):
            of = {case: rows for case, rows in cases.items() if (case.method, case.base) == named}
            points = {
                level: rows_of({case: r for case, r in of.items() if case.distractors == level})
                for level in levels
            }
            lines[label(named)] = {
                level: (count(rows, key), len(rows)) for level, rows in points.items() if rows
            }
        said = {'pi0.5 (paper, Figure 9)': FIGURE_9} if key == 'followed' else {}
        parts += _curve(title, key, levels, lines, said)
    return [ReportSection('Clutter', parts)]


def share_of_headroom(found: Results) -> list[ReportSection]:
    """How much of the way from the policy to the best choice planning goes."""
    rows = []
    for level in levels_of(found):
        for base in sorted({case.base for case in found.of(PLACE, method=OURS)}):
            policy, ours, oracle = (
                _outcomes(found, level, (method, base)) for method in (POLICY, OURS, ORACLE)
            )
            room = headroom(policy, ours, oracle)
            if room is None:
                continue
            low, high = room.interval_95
            part = f'{room.realised:.2f} [{low:.2f}, {high:.2f}]' if room.realised else 'none'
            if room.headroom < SMALL_HEADROOM:
                part = 'headroom below 5 points'
            points = f'{100 * room.headroom:+.0f} points'
            rows.append([str(level), base, str(room.episodes), points, part])
    if not rows:
        return []
    head = ['distractors', 'base', 'episodes', 'oracle minus policy', 'share that ours realises']
    words = 'Over episodes that all three have; brackets: 95 % bootstrap over episodes.'
    return [ReportSection('Headroom of choosing', [words, ReportTable(head, rows)])]


def hacking(found: Results) -> list[ReportSection]:
    """How often a hallucination is chosen, and how much of a promised gain is kept."""
    rows = [
        [
            _objective(result),
            key.replace('_', ' '),
            rate_words(entry['phantom_chosen'], entry['judged']),
        ]
        for result in found.others.get('hacking', ())
        for key in ('without_uncertainty', 'with_uncertainty')
        if (entry := result.get(key))
    ]
    head = ['objective', 'planner', 'hallucination chosen']
    parts: list[Part] = [ReportTable(head, rows)] if rows else []
    parts += _refinement(found.others.get('refinement', ()))
    return [ReportSection('World-model hacking', parts)] if parts else []


def _objective(result: Row) -> str:
    """How a result's planner weighed uncertainty, in words; nothing where it does not say."""
    planner: Row = result.get('settings', {}).get('planner', {})
    return str(planner.get('combination', '')).replace('_', ' ')


def overview(found: Results) -> list[ReportSection]:
    """The picture on top: success by task and method at the most distractors."""
    level = max(levels_of(found), default=0)
    cases = {**found.of(PLACE, distractors=level), **found.of(FOLD)}
    if not cases:
        return []
    groups: dict[str, dict[str, tuple[int, int]]] = {}
    for case, rows in cases.items():
        numbers = count(rows.values(), 'success'), len(rows)
        groups.setdefault(case.task, {})[label((case.method, case.base))] = numbers
    names = [label(named) for named in methods_of(cases)]
    title = f'Success, {level} distractors'
    words = f'{title}: bars with exact 95 % intervals'
    return [ReportSection('Overview', [Figure('success.png', bars(title, groups, names), words)])]


def _against(found: Results, level: int, base: str, named: Named) -> list[list[str]]:
    """Rows of one comparison: pooled first, then by task."""
    ours, theirs = (_outcomes(found, level, one) for one in ((OURS, base), named))
    tasks = sorted({str(key[0]) for key in ours if isinstance(key, tuple)})
    rows = []
    for task in ('', *tasks):
        tested = paired_test(_of_task(ours, task), _of_task(theirs, task))
        if tested is not None:
            words = [label((OURS, base)), label(named), task or 'pooled']
            rows.append(words + _test_words(tested))
    return rows


def _test_words(tested: PairedTest) -> list[str]:
    numbers = [str(n) for n in (tested.pairs, tested.gains, tested.losses)]
    difference = difference_words(tested.difference, *tested.interval_95)
    return [*numbers, difference, p_words(tested.p_value)]


def _of_task(found: Outcomes, task: str) -> Outcomes:
    return {k: v for k, v in found.items() if not task or (isinstance(k, tuple) and k[0] == task)}


def _outcomes(found: Results, level: int, named: Named) -> Outcomes:
    return outcomes(found.of(PLACE, distractors=level, method=named[0], base=named[1]))


def _curve(
    title: str,
    key: str,
    levels: list[int],
    lines: Mapping[str, Mapping[int, tuple[int, int]]],
    said: Mapping[str, Mapping[int, float]],
) -> list[Part]:
    rows = [
        [name, *(rate_words(*points.get(level, (0, 0))) for level in levels)]
        for name, points in lines.items()
    ]
    rows += [
        [name, *(f'{100 * points[n]:.0f} % (no count given)' if n in points else '-'
                 for n in levels)]
        for name, points in said.items()
    ]  # fmt: skip
    picture = Figure(f'clutter_{key}.png', curves(title, lines, said), f'{title} over distractors')
    return [picture, ReportTable([title, *(f'{level} distractors' for level in levels)], rows)]


def _refinement(results: Sequence[Mapping[str, Any]]) -> list[Part]:
    """The gains of all tasks together."""
    if not results:
        return []
    rows = [row for result in results for row in result.get('rows', ())]
    words = 'Gradient steps on the chosen motion, in moments of the expert; 95 % by bootstrap.'
    return [words, _gaps(gain_curves(rows) if rows else results[0]['curves'])]


def _gaps(curves: Mapping[str, Any]) -> ReportTable:
    """Predicted and realised gain of refinement, by step, with and without uncertainty."""
    rows = []
    for name, curve in curves.items():
        for point in filter(lambda one: one['states'], curve):
            cells = [
                f'{point[part]:.3f} [{point[f"{part}_interval_95"][0]:.3f}, '
                f'{point[f"{part}_interval_95"][1]:.3f}]'
                for part in ('predicted', 'realised', 'gap', 'frames_saved')
            ]
            rows.append([name.replace('_', ' '), str(point['step']), str(point['states']), *cells])
    head = ['planner', 'steps', 'states', 'predicted gain', 'realised gain', 'gap',
            'frames saved']  # fmt: skip
    return ReportTable(head, rows)
