# SPDX-License-Identifier: Apache-2.0
"""`vidplan evaluate --suite pick_place` and `clutter`: the paper's bowl tasks."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from vidplan.cli.evaluate.judged import named_of, run_pieces, work_of
from vidplan.cli.evaluate.loading import config_of
from vidplan_eval.suites.pick_place.names import WITHOUT_BASE, composition_of

if TYPE_CHECKING:
    from vidplan_core.planner.config import PlannerConfig
    from vidplan_eval.suites.pick_place.work import PickPlacePiece, PickPlaceWork

CLUTTER = 'clutter'


def run(args: argparse.Namespace) -> int:
    """Run the suite and print what came of it."""
    from vidplan_eval.suites.pick_place.episode import row_label
    from vidplan_eval.suites.pick_place.summary import summarise_clutter, summarise_pick_place

    work, pieces = _work(args), _pieces(args)
    named = _named(args, work)
    summarise = summarise_clutter if args.suite == CLUTTER else summarise_pick_place
    result = run_pieces(
        args, work, pieces, lambda rows: summarise(named, rows, len(pieces)), row_label
    )
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

    return work_of(args, PickPlaceWork, _config(args))


def _config(args: argparse.Namespace) -> PlannerConfig:
    return config_of(args, method=composition_of(args.method), base=args.base)


def _named(args: argparse.Namespace, work: PickPlaceWork) -> dict[str, Any]:
    distractors = None if args.suite == CLUTTER else args.distractors
    based = args.method not in WITHOUT_BASE
    return named_of(args, work, task=args.task, based=based, distractors=distractors)


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
