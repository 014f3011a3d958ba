# SPDX-License-Identifier: Apache-2.0
"""`vidplan bench views`: how soon pictures that cannot be true are noticed, and false alarms."""

from __future__ import annotations

import argparse
from typing import Any

from vidplan.cli.arguments import output_file, positive, seed


def add_parser(subparsers: Any) -> None:
    """Add the command to `vidplan bench`."""
    parser = subparsers.add_parser(
        'views',
        help='freeze, spoil, swap and move views, and tell how soon it is noticed',
        description='Looks on while a script handles objects in the simulated cell, spoils the '
        'pictures from a moment on at which the arm moves, and tells how often the stitcher would '
        'notice within 1 s, and how often it would doubt true pictures. No model.',
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the result')
    parser.add_argument('--seed', type=seed, default=1, help='default %(default)s')
    parser.add_argument('--episodes', type=positive, default=20, help='default %(default)s')


def run(args: argparse.Namespace) -> int:
    """Measure and print every fault."""
    from vidplan_core.data.plausibility import PlausibilityConfig
    from vidplan_eval.results import write_json
    from vidplan_eval.suites.plausible_views import measure

    result = measure(PlausibilityConfig(), args.seed, args.episodes)
    print(f'{"false alarms":24s} {_words(result["false_alarms"])}')
    for name, row in result['faults'].items():
        slowest = row['delay_p95_s']
        delay = '' if slowest is None else f', 95 % after {slowest:.1f} s'
        print(f'{name:24s} {_words(row["in_time"])} within 1 s{delay}')
    if args.json is not None:
        settings = {'seed': args.seed, 'episodes': args.episodes}
        write_json(args.json, {**result, 'settings': settings})
    return 0


def _words(share: dict[str, Any]) -> str:
    low, high = share['interval']
    return f'{share["count"]} of {share["of"]} [{100 * low:.0f}, {100 * high:.0f}]'
