# SPDX-License-Identifier: Apache-2.0
"""`vidplan evaluate --suite fold`: the towel."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vidplan.cli.evaluate.loading import config_of, models_folder
from vidplan_core.errors import ConfigError
from vidplan_eval.suites.fold.names import METHODS, RULES

if TYPE_CHECKING:
    from vidplan_eval.suites.fold.work import FoldWork


def run(args: argparse.Namespace) -> int:
    """Run the suite and print what came of it."""
    from vidplan_eval.report.words import rate_words
    from vidplan_eval.results import EpisodeProgress, write_json
    from vidplan_eval.suites.fold.episode import row_label
    from vidplan_eval.suites.fold.scenes import fold_episode
    from vidplan_eval.suites.fold.summary import summarise_fold
    from vidplan_eval.suites.fold.work import FoldPiece
    from vidplan_eval.suites.workers import share_out

    if args.method not in METHODS:
        raise ConfigError(f"suite fold has no method '{args.method}'; it has {', '.join(METHODS)}")
    fold_episode(args.seed, args.distractors)  # what cannot be is refused before work
    work = _work(args)
    seeds = range(args.seed, args.seed + args.episodes)
    pieces = [FoldPiece(seed, args.distractors) for seed in seeds]
    progress, rows, named = EpisodeProgress(len(pieces)), [], _named(args, work)
    for row in share_out(work, pieces, args.workers, args.ray):
        rows.append(row)
        progress.report(row_label(row), row.success)
        result = summarise_fold(named, rows, len(pieces))
        if args.json is not None:
            write_json(args.json, result)
    print(f'{args.method}: {rate_words(result["successes"], result["episodes"])} folded')
    print(f'  judged done {result["judged_done"]} times, {result["judged_done_rightly"]} rightly')
    return 0


def _work(args: argparse.Namespace) -> FoldWork:
    from vidplan_eval.suites.fold.work import FoldWork

    method = 'no_refine' if args.method in RULES else args.method
    return FoldWork(
        args.method,
        models_folder(args),
        config_of(args, method=method, base=args.base),
        args.device,
        args.time_limit,
        args.execute_frames,
        args.videos,
    )


def _named(args: argparse.Namespace, work: FoldWork) -> dict[str, Any]:
    """What was run, and all that the result depends on."""
    import torch

    return {
        'suite': args.suite,
        'task': 'towel',
        'base': '' if args.method in RULES else work.config.base,
        'method': args.method,
        'distractors': args.distractors,
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
