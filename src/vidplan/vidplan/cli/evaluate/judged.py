# SPDX-License-Identifier: Apache-2.0
"""What `vidplan evaluate` does alike for every suite whose episodes a witness judges."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from vidplan.cli.evaluate.loading import models_folder

if TYPE_CHECKING:
    from vidplan_core.planner.config import PlannerConfig
    from vidplan_eval.suites.judging.judged import JudgedWork

W = TypeVar('W', bound='JudgedWork')


def work_of(args: argparse.Namespace, kind: type[W], config: PlannerConfig) -> W:
    """How the episodes of a parsed command line are run, planned as configured."""
    return kind(
        args.method,
        models_folder(args),
        config,
        args.device,
        args.time_limit,
        args.execute_frames,
        args.videos,
    )


def named_of(
    args: argparse.Namespace, work: JudgedWork, *, task: str, based: bool, distractors: int | None
) -> dict[str, Any]:
    """What was run, and all that the result depends on; `based` says whether a policy is."""
    import torch

    return {
        'suite': args.suite,
        'task': task,
        'base': work.config.base if based else '',
        'method': args.method,
        'distractors': distractors,
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


def run_scenes(
    args: argparse.Namespace, work: JudgedWork, named: dict[str, Any], pieces: Sequence[Any],
    label: Callable[[Any], str], deed: str,
) -> int:  # fmt: skip
    """Run a suite with one task, and print how often its deed was done."""
    from vidplan_eval.report.words import rate_words
    from vidplan_eval.suites.judging.summary import summarise_judged

    result = run_pieces(
        args, work, pieces, lambda rows: summarise_judged(named, rows, len(pieces)), label
    )
    print(f'{args.method}: {rate_words(result["successes"], result["episodes"])} {deed}')
    print(f'  judged done {result["judged_done"]} times, {result["judged_done_rightly"]} rightly')
    return 0


def run_pieces(
    args: argparse.Namespace,
    work: Any,
    pieces: Sequence[Any],
    summarise: Callable[[list[Any]], dict[str, Any]],
    label: Callable[[Any], str],
) -> dict[str, Any]:
    """Run all pieces; the summary of what is there is written after each, the last returned."""
    from vidplan_eval.results import EpisodeProgress, write_json
    from vidplan_eval.suites.workers import share_out

    progress, rows, result = EpisodeProgress(len(pieces)), [], {}
    for row in share_out(work, pieces, args.workers, args.ray):
        rows.append(row)
        progress.report(label(row), row.success)
        result = summarise(rows)
        if args.json is not None:
            write_json(args.json, result)
    return result
