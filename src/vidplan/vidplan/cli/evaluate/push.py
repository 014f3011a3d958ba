# SPDX-License-Identifier: Apache-2.0
"""`vidplan evaluate --suite push`: things along the table."""

from __future__ import annotations

import argparse

from vidplan.cli.evaluate.judged import named_of, run_scenes, work_of
from vidplan.cli.evaluate.loading import config_of
from vidplan_core.errors import ConfigError
from vidplan_eval.suites.push.names import METHODS, RULES


def run(args: argparse.Namespace) -> int:
    """Run the suite and print what came of it."""
    from vidplan_eval.suites.push.episode import row_label
    from vidplan_eval.suites.push.scenes import push_episode
    from vidplan_eval.suites.push.work import PushPiece, PushWork

    if args.method not in METHODS:
        raise ConfigError(f"suite push has no method '{args.method}'; it has {', '.join(METHODS)}")
    push_episode(args.seed, args.distractors)  # what cannot be is refused before work
    ruled = args.method in RULES
    method = 'no_refine' if ruled else args.method
    work = work_of(args, PushWork, config_of(args, method=method))
    seeds = range(args.seed, args.seed + args.episodes)
    pieces = [PushPiece(seed, args.distractors) for seed in seeds]
    named = named_of(args, work, task='push', based=False, distractors=args.distractors)
    return run_scenes(args, work, named, pieces, row_label, 'pushed')
