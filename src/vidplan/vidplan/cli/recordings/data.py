# SPDX-License-Identifier: Apache-2.0
"""`vidplan data check`: find what is wrong with recorded episodes before training on them."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vidplan.cli.arguments import existing_folder, output_file, positive
from vidplan.cli.recordings.bag import add_names, open_data

if TYPE_CHECKING:
    from vidplan_eval.datasets.check import CheckedData

EXIT_FOUND = 1


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'data',
        help='check recorded episodes: units, polarity, frozen gripper, views, jumps, words',
        description='Exits with 0 if nothing was found, 1 if something was.',
    )
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION')
    check = actions.add_parser('check', help='look at every episode and write a report')
    check.add_argument(
        'data', type=existing_folder, help="folder in LeRobot's or in Ctrl-World's layout"
    )
    check.add_argument(
        '--out', type=output_file, metavar='FILE', help='report with pictures, HTML'
    )
    check.add_argument('--json', type=output_file, metavar='FILE', help='write the findings')
    add_names(check)
    check.add_argument('--episodes', type=positive, metavar='N', help='the first N; default: all')
    return parser


def run(args: argparse.Namespace) -> int:
    """Check a data set and return the exit status."""
    from vidplan_eval.datasets.check import check_source
    from vidplan_eval.datasets.check_page import write_check_page
    from vidplan_eval.results import write_json

    source = open_data(args.data, cameras=args.cameras, columns=args.columns)
    ids = [*source.ids(held_out=False), *source.ids(held_out=True)][: args.episodes]
    found = check_source(source, ids)
    _print(found)
    if args.json is not None:
        findings = [asdict(finding) for finding in found.findings]
        content = {'episodes': found.episodes, 'counts': found.counts, 'whole': found.whole}
        write_json(args.json, {**content, 'findings': findings})
    if args.out is not None:
        print(f'wrote {write_check_page(found, source, args.out)}')
    return EXIT_FOUND if found.findings or found.whole else 0


def _print(found: CheckedData) -> None:
    print(f'{found.episodes} episodes')
    for kind, count in found.counts.items():
        print(f'  {count:6d}  {kind}')
        for finding in [f for f in found.findings if f.kind == kind][:3]:
            print(f'          {finding.episode}: {finding.detail}')
    for words in found.whole:
        print(f'  all     {words}')
    if not (found.findings or found.whole):
        print('  nothing was found')
