# SPDX-License-Identifier: Apache-2.0
"""`vidplan evaluate --suite pick_place` and `clutter`: the paper's bowl tasks."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vidplan.cli.evaluate.loading import config_of, models_folder
from vidplan_eval.suites.pick_place.names import WITHOUT_BASE, composition_of

if TYPE_CHECKING:
    from vidplan_core.planner.config import PlannerConfig
    from vidplan_eval.suites.pick_place.work import PickPlacePiece, PickPlaceWork

CLUTTER = 'clutter'


def run(args: argparse.Namespace) -> int:
    """Run the suite and print what came of it."""
    from vidplan_eval.results import EpisodeProgress, write_json
    from vidplan_eval.suites.pick_place.episode import row_label
    from vidplan_eval.suites.pick_place.summary import summarise_clutter, summarise_pick_place
    from vidplan_eval.suites.workers import share_out

    work, pieces = _work(args), _pieces(args)
    named = _named(args, work)
    summarise = summarise_clutter if args.suite == CLUTTER else summarise_pick_place
    progress, rows = EpisodeProgress(len(pieces)), []
    for row in share_out(work, pieces, args.workers, args.ray):
        rows.append(row)
        progress.report(row_label(row), row.success)
        result = summarise(named, rows, len(pieces))
        if args.json is not None:
            write_json(args.json, result)
    for entry in result.get('curve', [result]):
        _print(args.method, entry)
    return 0


def _pieces(args: argparse.Namespace) -> list[PickPlacePiece]:
    from vidplan_eval.suites.pick_place.scenes import MOST_DISTRACTORS, pick_place_episode
    from vidplan_eval.suites.pick_place.work import PickPlacePiece

    levels = range(MOST_DISTRACTORS + 1) if args.suite == CLUTTER else [args.distractors]
    seeds = range(args.seed, args.seed + args.episodes)
    for level in levels:
        pick_place_episode(args.task, args.seed, level)  # what cannot be is refused before work
    return [PickPlacePiece(args.task, seed, level) for level in levels for seed in seeds]


def _work(args: argparse.Namespace) -> PickPlaceWork:
    from vidplan_eval.suites.pick_place.work import PickPlaceWork

    return PickPlaceWork(
        args.method,
        models_folder(args),
        _config(args),
        args.device,
        args.time_limit,
        args.execute_frames,
        args.videos,
    )


def _config(args: argparse.Namespace) -> PlannerConfig:
    return config_of(args, method=composition_of(args.method), base=args.base)


def _named(args: argparse.Namespace, work: PickPlaceWork) -> dict[str, Any]:
    """What was run, and all that the result depends on."""
    import torch

    return {
        'suite': args.suite,
        'task': args.task,
        'base': '' if args.method in WITHOUT_BASE else work.config.base,
        'method': args.method,
        'distractors': None if args.suite == CLUTTER else args.distractors,
        'seed': args.seed,
        'settings': {
            'models': str(work.models),
            'time_limit_s': work.limit_s,
            'execute_frames': work.execute_frames,
            'planner': asdict(work.config),
            'workers': args.workers,
            'torch': torch.__version__,
        },
    }


def _print(method: str, result: dict[str, Any]) -> None:
    from vidplan_eval.report.words import rate_words

    following = result['instruction_following']
    words = rate_words(result['successes'], result['episodes'])
    print(f'{method}, {result["distractors"]} distractors: {words}')
    print(f'  instruction followed: {rate_words(following["count"], following["of"])}')
    print(
        f'  judged done {result["judged_done"]} times, {result["judged_done_rightly"]} of them '
        f'rightly; {result["crashes"]} crashes'
    )
    if result['plan_latency_p50_s'] is not None:
        print(
            f'  plan: {result["plan_latency_p50_s"]:.3f} s median, '
            f'{result["late_plans"]} of {result["plans"]} late'
        )
    if result['noted_plans']:
        print(f'  out of the ordinary: {result["noted_plans"]} plans, such as: {result["note"]}')
