# SPDX-License-Identifier: Apache-2.0
"""The report on a folder of result files."""

from __future__ import annotations

import json
from pathlib import Path

from vidplan_eval.episode import FIRST_EVALUATION_SEED
from vidplan_eval.report import comparisons, sections
from vidplan_eval.report.document import ReportSection, ReportTable, write_document
from vidplan_eval.report.results import Results, read_results, seeds_of

TITLE = 'VidPlan: bowl tasks by planning on top of a policy'


def write_report(folder: Path, out: Path | None = None) -> tuple[Path, Path]:
    """Compare the result files of a folder; returns the Markdown and the HTML file.

    Raises:
        ConfigError: the folder has no results, or has an episode twice.
    """
    return write_document(TITLE, report_sections(folder), out or folder)


def report_sections(folder: Path) -> list[ReportSection]:
    """What the report on a folder says, in order.

    Raises:
        ConfigError: as `write_report` does.
    """
    found = read_results(folder)
    return [
        *_seeds(found),
        *comparisons.overview(found),
        *sections.success(found),
        *sections.pushing(found),
        *sections.following(found),
        *sections.paper(found),
        *comparisons.paired(found),
        *comparisons.clutter(found),
        *comparisons.share_of_headroom(found),
        *comparisons.hacking(found),
        *sections.judgement(found),
        *sections.speed(found),
        *sections.failures(found),
        *_settings(found),
    ]


def _seeds(found: Results) -> list[ReportSection]:
    """Whose seeds these are: said before any number."""
    seeds = seeds_of(found)
    if not seeds:
        return []
    words = [f'Seeds {seeds[0]} to {seeds[-1]}; brackets after a rate: exact 95 % interval.']
    tuning = sum(seed < FIRST_EVALUATION_SEED for seed in seeds)
    if tuning:
        words.append(
            f'{tuning} of {len(seeds)} seeds are below {FIRST_EVALUATION_SEED}: they are for '
            'tuning, and say less than evaluation seeds would.'
        )
    return [ReportSection('What was run', [*words, *_notes(found)])]


def _notes(found: Results) -> list[str]:
    """Methods whose plans were not all their own, such as without their policy server."""
    words = []
    for case, rows in found.cases.items():
        noted = [row for row in rows.values() if row.get('noted_plans')]
        if noted:
            plans, odd = (sum(row[key] for row in rows.values() if key in row)
                          for key in ('plans', 'noted_plans'))  # fmt: skip
            words.append(
                f'{case.method} ({case.base}), {case.task}: {odd} of {plans} plans were out of '
                f'the ordinary, such as: {noted[0]["note"]}'
            )
    return words


def _settings(found: Results) -> list[ReportSection]:
    """What every file depends on, and the files that say nothing."""
    rows = [
        [name, str(entry.get('models', '')), str(entry.get('time_limit_s', '')),
         str(entry.get('workers', '')), json.dumps(entry.get('planner', {}))]
        for name, entry in found.settings.items()
    ]  # fmt: skip
    grid = ReportTable(['file', 'models', 'limit, s', 'workers', 'planner'], rows)
    notes = [f'Not read: {", ".join(found.unknown)}.'] if found.unknown else []
    return [ReportSection('Settings', [grid, *notes])]
