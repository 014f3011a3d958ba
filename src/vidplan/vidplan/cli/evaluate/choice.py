# SPDX-License-Identifier: Apache-2.0
"""`vidplan evaluate --suite choice`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from vidplan.cli.evaluate.loading import load_system, make_world, settings


def run(args: argparse.Namespace) -> int:
    """Run the suite and print what came of it."""
    from vidplan_eval.episode import make_episode
    from vidplan_eval.results import EpisodeProgress, write_json
    from vidplan_eval.suites.choice import ChoiceSuite, summarise_choices

    planner = load_system(args, method='no_refine')
    usual = None
    if args.params is not None:
        defaults = argparse.Namespace(**{**vars(args), 'params': None})
        usual = load_system(defaults, method='no_refine')
    kinematic = load_system(args, method='kinematic')
    suite = ChoiceSuite(planner, kinematic, make_world(planner), usual)
    rows = []
    progress = EpisodeProgress(args.episodes)
    for seed in range(args.seed, args.seed + args.episodes):
        row = suite.run(make_episode(seed, args.objects))
        rows.append(row)
        agreed = row.best is not None and row.chosen.get('vidplan') == row.best
        progress.report(f'{seed} {row.target:15s} {row.error.splitlines()[-1:]}', agreed)
        result = summarise_choices(args.seed, rows, args.episodes)
        if args.json is not None:
            write_json(args.json, {**result, 'settings': settings(args, planner)})
    _print_choice(result)
    return 0


def _print_choice(result: dict[str, Any]) -> None:
    names: Sequence[tuple[str, str]] = (
        ('vidplan', 'planner on imagined futures'),
        ('always_the_same', 'always the same candidate'),
        ('no_world_model', 'present picture and kinematics, no world model'),
        ('true_futures', 'planner on the true futures'),
        ('by_default', 'planner as by default'),
    )
    print(f'{result["judged"]} states, {result["candidates"]} candidates')
    for key, words in names:
        entry = result.get(key)
        if entry is None or entry['rate'] is None:
            continue
        low, high = entry['interval_95']
        regret = entry['regret_cm']
        text = 'n/a' if regret is None else f'{regret:.2f} cm'
        print(f'  {words:48s} {entry["rate"]:6.1%} (95 %: {low:.1%} .. {high:.1%})  regret {text}')
    if (same := result['same_as_by_default']) is not None:
        low, high = same['interval_95']
        print(
            f'chosen as by default: {same["same"]} of {same["states"]} states, '
            f'{same["rate"]:.1%} (95 %: {low:.1%} .. {high:.1%})'
        )
