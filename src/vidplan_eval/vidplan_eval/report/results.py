# SPDX-License-Identifier: Apache-2.0
"""The result files of a folder, grouped into what a report compares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidplan_core.errors import ConfigError
from vidplan_eval.report.paired import Outcomes

BOWL_SUITES = ('pick_place', 'clutter')
FOLD, TOWEL = 'fold', 'towel'
PUSH = 'push'
# What has no episodes with a success of their own is taken as it is.
OTHERS = ('hacking', 'refinement')

Row = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Case:
    """What an episode belongs to: `base` '' for methods that plan on top of no policy."""

    suite: str
    task: str
    base: str
    method: str
    distractors: int


@dataclass
class Results:
    """All that was found.

    Attributes:
        cases: rows by case and seed.
        others: whole result files of other suites, by suite.
        settings: of every file, by its name.
        unknown: files that are no results that a report knows.
    """

    cases: dict[Case, dict[int, Row]] = field(default_factory=dict)
    others: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    settings: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def of(self, suite: str, **wanted: str | int) -> dict[Case, dict[int, Row]]:
        """The cases of a suite with these attributes."""
        return {
            case: rows
            for case, rows in sorted(self.cases.items())
            if case.suite == suite and all(getattr(case, k) == v for k, v in wanted.items())
        }


def read_results(folder: Path) -> Results:
    """Read every *.json below a folder.

    Raises:
        ConfigError: there is none with results, or two have the same episode.
    """
    found = Results()
    for path in sorted(folder.rglob('*.json')):
        name = str(path.relative_to(folder))
        content = _content(path)
        if content is None or not _take(found, content, name):
            found.unknown.append(name)
    if not found.cases and not found.others:
        raise ConfigError(
            f'{folder} has no result files: write some with `vidplan evaluate --suite pick_place '
            f'--json {folder}/NAME.json`'
        )
    return found


def outcomes(cases: Mapping[Case, Mapping[int, Row]], key: str = 'success') -> Outcomes:
    """What of every task and seed came true, for pairing."""
    return {
        (case.task, case.distractors, seed): bool(row[key])
        for case, rows in cases.items()
        for seed, row in rows.items()
    }


def rows_of(cases: Mapping[Case, Mapping[int, Row]]) -> list[Row]:
    """All rows of some cases."""
    return [row for rows in cases.values() for row in rows.values()]


def count(rows: Iterable[Row], key: str) -> int:
    """How many rows have something."""
    return sum(bool(row.get(key)) for row in rows)


def seeds_of(found: Results) -> Sequence[int]:
    """All seeds, sorted."""
    return sorted({seed for rows in found.cases.values() for seed in rows})


def _content(path: Path) -> Mapping[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and 'suite' in content else None


def _take(found: Results, content: Mapping[str, Any], name: str) -> bool:
    suite = content['suite']
    if suite in OTHERS:
        found.others.setdefault(suite, []).append(content)
    elif suite in (*BOWL_SUITES, FOLD, PUSH):
        for row in content.get('rows', ()):
            _add(found, _case(content, row), row, name)
    else:
        return False
    found.settings[name] = content.get('settings', {})
    return True


def _case(content: Mapping[str, Any], row: Row) -> Case:
    task = TOWEL if content['suite'] == FOLD else content['task']
    base, method = content.get('base') or '', content.get('method', 'vidplan')
    return Case(content['suite'], task, base, method, len(row.get('distractors', ())))


def _add(found: Results, case: Case, row: Row, name: str) -> None:
    rows = found.cases.setdefault(case, {})
    if row['seed'] in rows:
        raise ConfigError(
            f'{name} has seed {row["seed"]} of {case.method} ({case.task}) once more: keep one '
            'result file of an episode in the folder'
        )
    rows[int(row['seed'])] = row
