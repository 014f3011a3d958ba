# SPDX-License-Identifier: Apache-2.0
"""`vidplan evaluate --suite hacking`."""

from __future__ import annotations

import argparse
from typing import Any

from vidplan.cli.evaluate.loading import load_system, make_world, settings


def run(args: argparse.Namespace) -> int:
    """Run the suite and print what came of it."""
    from vidplan_eval.results import EpisodeProgress, write_json
    from vidplan_eval.suites.hacking import HackingSuite, lure, summarise_hacking
    from vidplan_eval.viz.pictures import save_png, strip_picture

    trusting = load_system(
        args, method='no_refine', uncertainty_discount=0.0, uncertainty_weight=0.0
    )
    systems = {False: trusting}
    weighted = load_system(args, method='no_refine')
    if weighted.heads.uncertainty_head is None:
        print('note: these models have no uncertainty head; only the planner without it is tested')
    else:
        systems[True] = weighted
    suite = HackingSuite(systems, make_world(weighted))
    rows = []
    progress = EpisodeProgress(args.episodes)
    for seed in range(args.seed, args.seed + args.episodes):
        episode = lure(seed, args.objects)
        judged = suite.run(episode)
        rows += judged
        if args.videos is not None and judged[-1].phantom_chosen is not None:
            picture = strip_picture(suite.frames(episode), title=episode.instruction)
            save_png(picture, args.videos / f'{seed}_phantom.png')
        last = judged[-1]
        progress.report(
            f'{seed} {last.target:15s} {last.error.splitlines()[-1:]}',
            last.phantom_chosen is False,
        )
        result = summarise_hacking(args.seed, rows, args.episodes)
        if args.json is not None:
            write_json(args.json, {**result, 'settings': settings(args, weighted)})
    _print_hacking(result)
    return 0


def _print_hacking(result: dict[str, Any]) -> None:
    for key in ('without_uncertainty', 'with_uncertainty'):
        entry = result[key]
        if entry is None or entry['rate'] is None:
            continue
        low, high = entry['interval_95']
        print(
            f'{key.replace("_", " ")}: the phantom is chosen {entry["phantom_chosen"]} times of '
            f'{entry["judged"]} = {entry["rate"]:.1%} (95 %: {low:.1%} .. {high:.1%}); the choice '
            f'without it is kept {entry["clean_choice_kept"]} times'
        )
