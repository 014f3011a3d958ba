# SPDX-License-Identifier: Apache-2.0
"""`vidplan evaluate --suite reach`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidplan.cli.evaluate.loading import load_system, make_world, settings

if TYPE_CHECKING:
    from vidplan_eval.suites.reach import ReachOutcome


def run(args: argparse.Namespace) -> int:
    """Run the suite and print what came of it."""
    from vidplan_eval.lockstep import LockStep, Pace
    from vidplan_eval.results import EpisodeProgress, write_json
    from vidplan_eval.suites.reach import label, run_episodes, summarise

    system = load_system(args, method=args.method)
    world = make_world(system)
    model = system.world_model.config
    pace = Pace(
        model.history_frames,
        execute_frames=args.execute_frames,
        limit_s=args.time_limit,
        pictures=args.videos is not None,
        history_ages=model.history_ages,
    )
    outcomes: list[ReachOutcome] = []
    progress = EpisodeProgress(args.episodes)
    seeds = range(args.seed, args.seed + args.episodes)
    for outcome in run_episodes(LockStep(system, world, pace), world, seeds, args.objects):
        if args.videos is not None:
            _write_video(outcome, args.videos)
        outcomes.append(replace(outcome, run=None))
        progress.report(label(outcome.row), outcome.row.success)
        result = summarise(args.suite, args.method, args.seed, outcomes, args.episodes)
        if args.json is not None:
            write_json(args.json, {**result, 'settings': settings(args, system)})
    _print_reach(result)
    return 0


def _write_video(outcome: ReachOutcome, folder: Path) -> None:
    from vidplan_eval.viz.curves import draw_curves
    from vidplan_eval.viz.pictures import save_png
    from vidplan_eval.viz.runlog import RunResult
    from vidplan_eval.viz.video import write_run_video

    if outcome.run is None or not outcome.run.log.seen:
        return
    row, log = outcome.row, outcome.run.log
    code = 'SUCCESS' if row.success else (row.reason or row.ended).upper()
    log.result = RunResult(row.success, code, row.reason, row.cycles, outcome.run.duration_s)
    verdict = 'success' if row.success else 'failure'
    name = f'{row.seed}_{row.target.replace(" ", "-")}_{verdict}.mp4'
    write_run_video(log, folder / name)
    if any(plan.terms for plan in log.plans):
        save_png(draw_curves(log), (folder / name).with_suffix('.png'))


def _print_reach(result: dict[str, Any]) -> None:
    low, high = result['interval_95']
    p50_s, p99_s = result['plan_latency_p50_s'], result['plan_latency_p99_s']
    print(
        f'{result["method"]}: {result["successes"]} of {result["episodes"]}'
        f' = {result["rate"]:.1%} (95 %: {low:.1%} .. {high:.1%})'
    )
    print(
        f'judged done {result["judged_done"]} times, {result["judged_done_rightly"]} of them '
        f'rightly; {result["crashes"]} crashes'
    )
    if p50_s is not None:
        print(f'plan: {p50_s:.3f} s median, {p99_s:.3f} s 99 % ({result["plans"]} plans)')
