# SPDX-License-Identifier: Apache-2.0
"""The suite `reach`: move over the named one of four objects, in scenes never trained on."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from vidplan_core.metrics.intervals import exact_interval, percentile
from vidplan_eval.episode import SuiteEpisode, check_reached, make_episode
from vidplan_eval.lockstep import LockStep, Run
from vidplan_eval.world import World

CRASH = 'CRASH'


@dataclass
class Row:
    """One episode in the result file; distances in metres, times in seconds.

    Attributes:
        seed: of the scene.
        target: the named object.
        instruction: that the planner was given.
        success: by ground truth.
        reason: why not, '' for a success.
        ended: how the planner ended: DONE, TIME_LIMIT or an error's code.
        done: whether the planner judged itself done.
        horizontal_m: tool to the object's centre.
        above_m: tool above the object's centre.
        nearest: the object nearest to the tool.
        start_m: horizontal distance at the start.
        time_s: simulated time used.
        cycles: plans made.
        rejected: plans that the adapter refused.
        latency_p50_s: median duration of a plan.
        wall_s: wall-clock time of the episode.
        error: words of an error or a crash.
    """

    seed: int
    target: str
    instruction: str
    success: bool = False
    reason: str = CRASH
    ended: str = CRASH
    done: bool = False
    horizontal_m: float | None = None
    above_m: float | None = None
    nearest: str = ''
    start_m: float | None = None
    time_s: float | None = None
    cycles: int = 0
    rejected: int = 0
    latency_p50_s: float | None = None
    wall_s: float = 0.0
    error: str = ''


@dataclass
class ReachOutcome:
    """A row with what it was made from; `run` is None after a crash."""

    row: Row
    run: Run | None = None
    latencies_s: list[float] = field(default_factory=list)


def run_episodes(
    loop: LockStep, world: World, seeds: Sequence[int], objects: int
) -> Iterator[ReachOutcome]:
    """Yield the outcome of every seed; a crash is an outcome too."""
    for seed in seeds:
        yield run_episode(loop, world, make_episode(seed, objects))


def run_episode(loop: LockStep, world: World, episode: SuiteEpisode) -> ReachOutcome:
    """Run one episode and judge it by ground truth."""
    outcome = ReachOutcome(Row(episode.seed, episode.kind, episode.instruction))
    began_s = perf_counter()
    try:
        _run(loop, world, episode, outcome)
    except Exception:  # one broken episode must not cost the others
        outcome.row.error = traceback.format_exc(limit=8)
    outcome.row.wall_s = perf_counter() - began_s
    return outcome


def _run(loop: LockStep, world: World, episode: SuiteEpisode, outcome: ReachOutcome) -> None:
    world.reset(episode.scene)
    row = outcome.row
    row.start_m = _horizontal(world, episode.kind)
    run = loop.follow(episode.instruction)
    run.log.seed = episode.seed
    outcome.run, outcome.latencies_s = run, run.latencies_s
    found = check_reached(world.cell.tcp, world.cell.truth(), episode.kind, at_rest=world.at_rest)
    row.success, row.reason = found.success, found.reason
    row.horizontal_m, row.above_m, row.nearest = found.horizontal_m, found.above_m, found.nearest
    row.ended, row.error, row.done = run.reason, run.error, run.reason == 'DONE'
    row.time_s, row.cycles = run.duration_s, len(run.log.plans)
    row.rejected = len(world.rejections)
    row.latency_p50_s = percentile(run.latencies_s, 50.0)
    if run.error:
        row.success, row.reason = False, run.reason


def _horizontal(world: World, kind: str) -> float:
    return float(np.linalg.norm(world.cell.tcp[:2] - world.cell.truth()[kind][:2]))


def summarise(
    suite: str, method: str, seed: int, outcomes: Sequence[ReachOutcome], total: int
) -> dict[str, Any]:
    """Return the result file: counts, exact interval, latencies and all rows so far."""
    rows = [outcome.row for outcome in outcomes]
    latencies = [latency for outcome in outcomes for latency in outcome.latencies_s]
    successes = sum(row.success for row in rows)
    claimed = [row for row in rows if row.done]
    return {
        'suite': suite,
        'method': method,
        'seed': seed,
        'episodes': len(rows),
        'episodes_asked': total,
        'successes': successes,
        'rate': successes / len(rows) if rows else None,
        'interval_95': list(exact_interval(successes, len(rows))),
        'judged_done': len(claimed),
        'judged_done_rightly': sum(row.success for row in claimed),
        'crashes': sum(row.ended == CRASH for row in rows),
        'plans': len(latencies),
        'plan_latency_p50_s': percentile(latencies, 50.0),
        'plan_latency_p99_s': percentile(latencies, 99.0),
        'rows': [asdict(row) for row in rows],
    }


def label(row: Row) -> str:
    """Return the words of a progress line."""
    apart = 'n/a' if row.horizontal_m is None else f'{row.horizontal_m * 100:4.1f} cm'
    verdict = 'ok  ' if row.success else 'FAIL'
    words = f'{verdict} {row.seed} {row.target:15s} {apart} {row.ended}'
    return words + (f' ({row.reason})' if row.reason else '')
