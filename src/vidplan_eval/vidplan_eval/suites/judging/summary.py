# SPDX-License-Identifier: Apache-2.0
"""The result file of the suite: counts with exact intervals, and all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

from vidplan_eval.results import rate_of
from vidplan_eval.suites.judging.judged import CRASHED, JudgedRow


def summarise_judged(
    named: dict[str, Any], rows: Sequence[JudgedRow], asked: int
) -> dict[str, Any]:
    """The result of one method.

    Args:
        named: what was run: suite, task, base, method, distractors, seed, settings.
        rows: dataclasses, so far, in any order.
        asked: episodes that were asked for.
    """
    found = sorted(rows, key=lambda row: row.seed)
    successes = sum(row.success for row in found)
    claimed = [row for row in found if row.done]
    rightly = sum(row.done_rightly for row in claimed)
    success = rate_of(successes, len(found))
    failures = [row.failure for row in found if row.failure]
    return {
        **named,
        'episodes': len(found),
        'successes': successes,
        'rate': success['rate'],
        'interval_95': success['interval_95'],
        'judged_done': len(claimed),
        'judged_done_rightly': rightly,
        'judgement': {
            'right': rate_of(rightly, len(claimed)),
            'missed': rate_of(sum(r.success and not r.done for r in found), successes),
        },
        'failures': {kind: failures.count(kind) for kind in sorted(set(failures))},
        'crashes': sum(row.ended == CRASHED for row in found),
        'episodes_asked': asked,
        'rows': [asdict(cast(Any, row)) for row in found],
    }
