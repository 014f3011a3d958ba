# SPDX-License-Identifier: Apache-2.0
"""`vidplan bench views`: how soon pictures that cannot be true stop the arm; false alarms."""

from __future__ import annotations

import argparse
from typing import Any

from vidplan.cli.arguments import output_file, positive, seed


def add_parser(subparsers: Any) -> None:
    """Add the command to `vidplan bench`."""
    parser = subparsers.add_parser(
        'views',
        help='freeze, spoil, swap and move views, and tell how soon the arm rests',
        description='Looks on while a rule handles objects in the simulated cell through the '
        'action adapter, spoils the pictures from a moment on at which the arm moves, and tells '
        'how often the arm would rest within 1 s of that, and how often true pictures would be '
        'doubted. No model. With --json the run goes on where the file ends.',
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the result')
    parser.add_argument('--seed', type=seed, default=1, help='default %(default)s')
    parser.add_argument('--episodes', type=positive, default=20, help='default %(default)s')


def run(args: argparse.Namespace) -> int:
    """Measure and print every fault."""
    from vidplan_core.data.plausibility import PlausibilityConfig
    from vidplan_eval.suites.views.measure import measure

    result = measure(PlausibilityConfig(), args.seed, args.episodes, args.json)
    print(f'{"false alarms":24s} {_words(result["false_alarms"])}')
    for name, row in result['faults'].items():
        slowest = row['rest_p95_s']
        rest = '' if slowest is None else f', 95 % within {slowest:.2f} s'
        print(f'{name:24s} {_words(row["in_time"])} rest within 1 s{rest}')
    return 0


def _words(share: dict[str, Any]) -> str:
    low, high = share['interval']
    return f'{share["count"]} of {share["of"]} [{100 * low:.0f}, {100 * high:.0f}]'
