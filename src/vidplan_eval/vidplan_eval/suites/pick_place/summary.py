# SPDX-License-Identifier: Apache-2.0
"""The result file of the suite: counts with exact intervals, and all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from vidplan_core.metrics.intervals import percentile
from vidplan_eval.results import rate_of
from vidplan_eval.suites.judging.judged import CRASHED
from vidplan_eval.suites.pick_place.episode import PickPlaceRow


def counts(rows: Sequence[PickPlaceRow]) -> dict[str, Any]:
    """What rows of one method come to.

    `judgement` says how often the method was right to be done (`right`, of those that it called
    done) and how often it did not notice (`missed`, of those that were).
    """
    successes = sum(row.success for row in rows)
    claimed = [row for row in rows if row.done]
    latencies = [latency for row in rows for latency in row.latencies_s]
    success = rate_of(successes, len(rows))
    failures = [row.failure for row in rows if row.failure]
    rightly = sum(row.done_rightly for row in claimed)
    unnoticed = sum(row.success and not row.done for row in rows)
    return {
        'episodes': len(rows),
        'successes': successes,
        'rate': success['rate'],
        'interval_95': success['interval_95'],
        'instruction_following': rate_of(sum(row.followed for row in rows), len(rows)),
        'moved_named_first': rate_of(sum(row.moved_named for row in rows), len(rows)),
        'touched_named_first': rate_of(sum(row.touched_named for row in rows), len(rows)),
        'lifted_named': sum(row.lifted_named for row in rows),
        'wrong_in_bowl': sum(bool(row.wrong_in_bowl) for row in rows),
        'judged_done': len(claimed),
        'judged_done_rightly': rightly,
        'judgement': {
            'right': rate_of(rightly, len(claimed)),
            'missed': rate_of(unnoticed, successes),
        },
        'failures': {kind: failures.count(kind) for kind in sorted(set(failures))},
        'crashes': sum(row.ended == CRASHED for row in rows),
        'plans': len(latencies),
        'plan_latency_p50_s': percentile(latencies, 50.0),
        'plan_latency_p99_s': percentile(latencies, 99.0),
        'late_plans': sum(row.late_plans for row in rows),
        'noted_plans': sum(row.noted_plans for row in rows),
        'note': next((row.note for row in rows if row.note), ''),
    }


def summarise_pick_place(
    named: dict[str, Any], rows: Sequence[PickPlaceRow], asked: int
) -> dict[str, Any]:
    """The result of one task with one number of distractors.

    Args:
        named: what was run: suite, task, base, method, distractors, seed, settings.
        rows: so far, in any order.
        asked: episodes that were asked for.
    """
    found = sorted(rows, key=lambda row: row.seed)
    plain = [asdict(row) for row in found]
    return {**named, **counts(found), 'episodes_asked': asked, 'rows': plain}


def summarise_clutter(
    named: dict[str, Any], rows: Sequence[PickPlaceRow], asked: int
) -> dict[str, Any]:
    """The result over numbers of distractors: `curve` has the counts of each."""
    found = sorted(rows, key=lambda row: (len(row.distractors), row.seed))
    levels = sorted({len(row.distractors) for row in found})
    curve = [
        {'distractors': level, **counts([r for r in found if len(r.distractors) == level])}
        for level in levels
    ]
    return {**named, 'episodes_asked': asked, 'curve': curve, 'rows': [asdict(r) for r in found]}
