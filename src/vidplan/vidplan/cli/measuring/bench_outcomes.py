# SPDX-License-Identifier: Apache-2.0
"""`vidplan bench outcomes`: how often what comes out otherwise than imagined is noticed."""

from __future__ import annotations

import argparse
from typing import Any

from vidplan.cli.arguments import device, models, output_file, positive, seed
from vidplan.cli.evaluate.loading import load_system, models_folder


def add_parser(subparsers: Any) -> None:
    """Add the command to `vidplan bench`."""
    parser = subparsers.add_parser(
        'outcomes',
        help='spoil views and move things, and tell how often the next looks surprise',
        description='Looks on while a rule handles objects in the simulated cell, imagines every '
        'motion by the world model, and compares what is seen 0.4 s later; tells how often true '
        'looks would stop the arm, and spoiled pictures and accidents. With --json the run goes '
        'on where the file ends.',
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the result')
    parser.add_argument('--models', type=models, metavar='DIR', help='default: the shipped ones')
    parser.add_argument('--device', type=device, default='cpu')
    parser.add_argument('--seed', type=seed, default=1, help='default %(default)s')
    parser.add_argument('--episodes', type=positive, default=20, help='default %(default)s')


def run(args: argparse.Namespace) -> int:
    """Measure and print every fault."""
    from vidplan_eval.suites.views.outcomes import measure

    named = str(models_folder(args))
    result = measure(load_system(args), named, args.seed, args.episodes, args.json)
    print(f'{"true episodes":24s} {_words(result["false_alarms"])} stopped')
    print(f'{"":24s} {_words(result["episodes_warned"])} warned of')
    for name, row in result['faults'].items():
        areas = ', '.join(f'{score} {area[0]:.2f}' for score, area in row['auroc'].items())
        print(f'{name:24s} {_words(row["stopped"])} stopped, {_words(row["warned"])} warned of')
        print(f'{"":24s} AUROC {areas}')
    return 0


def _words(share: dict[str, Any]) -> str:
    low, high = share['interval']
    return f'{share["count"]} of {share["of"]} [{100 * low:.1f}, {100 * high:.1f}] %'
