# SPDX-License-Identifier: Apache-2.0
"""`vidplan bench stops`: wrong joint states and stops, and what the arm then does."""

from __future__ import annotations

import argparse
from typing import Any

from vidplan.cli.arguments import output_file, positive, seed


def add_parser(subparsers: Any) -> None:
    """Add the command to `vidplan bench`."""
    parser = subparsers.add_parser(
        'stops',
        help='lie to the adapter about the joints, and stop it, at random moments',
        description='Tells the adapter joint states that cannot be true, while the arm rests and '
        'while it moves, and stops it in mid motion; tells how far the arm leaves its way, '
        'whether the fault is named, and how long the arm moves on. No model, no simulation.',
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the result')
    parser.add_argument('--seed', type=seed, default=1, help='default %(default)s')
    parser.add_argument('--tries', type=positive, default=50, help='of each (default %(default)s)')


def run(args: argparse.Namespace) -> int:
    """Measure and print; the exit code is 1 where a fault is not named or moves a resting arm."""
    import torch

    from vidplan_eval.results import write_json
    from vidplan_eval.suites.adapter.stops import spread_words, try_stops

    torch.set_num_threads(1)  # seven joints need no thread pool
    result = try_stops(args.tries, args.seed)
    for kind in ('resting', 'moving'):
        row = result[kind]
        print(
            f'{kind:8s} {row["named"]} of {args.tries} named, at most {row["away_max_rad"]:.4f} '
            f'rad off its way, at rest after {spread_words(row["rest"])}'
        )
    print(f'{"stops":8s} at rest after {spread_words(result["stops"])}')
    if args.json is not None:
        write_json(args.json, result)
    named = min(result[kind]['named'] for kind in ('resting', 'moving'))
    return int(named < args.tries or result['resting']['away_max_rad'] > 0)
