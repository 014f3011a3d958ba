# SPDX-License-Identifier: Apache-2.0
"""`vidplan config`: shows, writes or checks parameter files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vidplan.cli.arguments import existing_file, output_folder


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'config',
        help='show, write or check parameter files',
        description='Prints the parameters of all nodes with their defaults, units and bounds. '
        'With --write it writes them as planning.yaml and cell.yaml; with --check it says whether '
        'every node and name of a file is known and every value allowed.',
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        '--write', nargs='?', type=output_folder, const=Path('config'), metavar='DIR',
        help='folder to write to; default: config',
    )  # fmt: skip
    what.add_argument(
        '--check', nargs='+', type=existing_file, metavar='FILE', help='files to check'
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Do as asked; a file that is wrong ends with the exit status of a wrong command line."""
    from vidplan.parameters.commented import FILES, file_text, write_files
    from vidplan.parameters.files import check_file

    if args.write:
        changed = write_files(args.write)
        print('\n'.join(f'wrote {path}' for path in changed) or 'nothing changed')
    elif args.check:
        for path in args.check:
            check_file(path)
            print(f'{path}: every name is known, every value allowed')
    else:
        print('\n'.join(map(file_text, FILES)), end='')
    return 0
