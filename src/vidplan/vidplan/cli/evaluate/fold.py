# SPDX-License-Identifier: Apache-2.0
"""`vidplan evaluate --suite fold`: the towel."""

from __future__ import annotations

import argparse

from vidplan.cli.evaluate.judged import named_of, run_scenes, work_of
from vidplan.cli.evaluate.loading import config_of
from vidplan_core.errors import ConfigError
from vidplan_eval.suites.fold.names import METHODS, RULES


def run(args: argparse.Namespace) -> int:
    """Run the suite and print what came of it."""
    from vidplan_eval.suites.fold.episode import row_label
    from vidplan_eval.suites.fold.scenes import fold_episode
    from vidplan_eval.suites.fold.work import FoldPiece, FoldWork

    if args.method not in METHODS:
        raise ConfigError(f"suite fold has no method '{args.method}'; it has {', '.join(METHODS)}")
    fold_episode(args.seed, args.distractors)  # what cannot be is refused before work
    ruled = args.method in RULES
    method = 'no_refine' if ruled else args.method
    work = work_of(args, FoldWork, config_of(args, method=method, base=args.base))
    seeds = range(args.seed, args.seed + args.episodes)
    pieces = [FoldPiece(seed, args.distractors) for seed in seeds]
    named = named_of(args, work, task='towel', based=not ruled, distractors=args.distractors)
    return run_scenes(args, work, named, pieces, row_label, 'folded')
