# SPDX-License-Identifier: Apache-2.0
"""A run in numbers: what its page shows, as plain values for JSON and for comparing two runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

import numpy as np

from vidplan_core.metrics.intervals import percentile
from vidplan_eval.viz.imagination import StepQuality, executed_steps
from vidplan_eval.viz.runlog import PlanRecord, RunLog

# A 99th percentile of fewer values is their largest one under another name.
ENOUGH_FOR_P99 = 100
# Below so many values a mean says that it is of few.
FEW = 10
WORST = 5


def run_summary(
    log: RunLog, facts: Mapping[str, str], steps: Sequence[StepQuality] | None = None
) -> dict[str, Any]:
    """Return the numbers of a run; `steps` as `executed_steps` finds them."""
    steps = executed_steps(log) if steps is None else steps
    result = log.result
    return {
        'instruction': log.instruction,
        'target': log.target,
        'success': None if result is None else result.success,
        'code': '' if result is None else result.code,
        'message': log.verdict,
        'ground_truth': None if log.truth is None else asdict(log.truth),
        'duration_s': None if result is None else result.duration_s,
        'seed': log.seed,
        'bag': log.bag,
        'replayed': log.replayed,
        'views': list(log.views),
        'deadlines': deadlines(log),
        'cycles': [_cycle(log, plan) for plan in log.plans],
        'imagined': [_step(step) for step in steps],
        'facts': dict(facts),
    }


def deadlines(log: RunLog) -> dict[str, Any]:
    """Count plans in time, late and missing: none of them vanishes.

    A plan is late if it took longer than until its own start, whether it was executed from rest
    or not at all. A cycle that the result counts and that left no plan is missing.
    """
    timed = [plan for plan in log.plans if isfinite(plan.latency_s)]
    late = [plan for plan in timed if (due := due_s(log, plan)) is not None and late_by(plan, due)]
    cycles = log.result.cycles if log.result else len(log.plans)
    dropped = log.result.late if log.result else 0
    latencies = [plan.latency_s for plan in timed]
    return {
        'cycles': cycles,
        'plans': len(log.plans),
        'timed': len(timed) + dropped,
        'late': len(late) + dropped,
        'missing': max(0, cycles - len(log.plans) - dropped),
        'p50_s': percentile(latencies, 50),
        'p99_s': percentile(latencies, 99) if len(latencies) >= ENOUGH_FOR_P99 else None,
        'longest_s': max(latencies, default=None),
    }


def due_s(log: RunLog, plan: PlanRecord) -> float | None:
    """Return how long a plan may take, s of this machine's clock; None where nothing is due."""
    ahead_s = plan.start_s - plan.stamp_s
    known = isfinite(plan.real_time_factor)
    factor = plan.real_time_factor if known else log.real_time_factor
    return ahead_s / factor if ahead_s > 0.0 and not log.replayed else None


def late_by(plan: PlanRecord, due: float) -> float:
    """Return by how much a plan came too late, s; 0 for one in time."""
    return max(0.0, plan.latency_s - due)


def worst_moments(steps: Sequence[StepQuality], most: int = WORST) -> list[StepQuality]:
    """Return the imagined frames that lose most against copying the present, the worst first."""
    return sorted(steps, key=gain_db)[:most]


def gain_db(step: StepQuality) -> float:
    """Return by how much imagining was better than copying, dB, mean over views."""
    return float(np.mean(step.imagined_db) - np.mean(step.copied_db))


def few(count: int) -> str:
    """Return the words that belong to a number of few samples; '' where there are enough."""
    return '' if count >= FEW else f' (of {count} only)'


def _cycle(log: RunLog, plan: PlanRecord) -> dict[str, Any]:
    origin_s = log.seen[0].stamp_s if log.seen else 0.0
    due = due_s(log, plan)
    return {
        'cycle': plan.cycle,
        'time_s': plan.stamp_s - origin_s,
        'best': int(plan.best),
        'score': float(plan.score),
        'scores': [float(score) for score in plan.scores],
        'terms': {name: float(value) for name, value in plan.terms.items()},
        'latency_s': plan.latency_s,
        'due_s': due,
        'late_by_s': None if due is None else late_by(plan, due),
        'time_ratio': plan.time_ratio,
        'notes': list(plan.notes),
    }


def _step(step: StepQuality) -> dict[str, Any]:
    return {
        'cycle': step.cycle,
        'step': step.step,
        'moved_m': step.moved_m,
        'imagined_db': [float(value) for value in step.imagined_db],
        'copied_db': [float(value) for value in step.copied_db],
    }
