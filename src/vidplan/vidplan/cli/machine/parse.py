# SPDX-License-Identifier: Apache-2.0
"""`vidplan parse`: how instructions are understood, or why they are not."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from vidplan.cli.arguments import output_file

EXIT_REFUSED = 1


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'parse',
        help='say how an instruction is understood, without any model or robot',
        description='Exits with 0 if every instruction is understood, 1 if one is refused.',
    )
    parser.add_argument('instructions', nargs='+', metavar='INSTRUCTION')
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write what was read')
    return parser


def run(args: argparse.Namespace) -> int:
    """Read every instruction and print a line each."""
    from vidplan_eval.results import write_json

    rows = [read_row(text) for text in args.instructions]
    for row in rows:
        print(row_line(row))
    if args.json is not None:
        write_json(args.json, {'instructions': rows})
    return EXIT_REFUSED if any('refused' in row for row in rows) else 0


def read_row(text: str) -> dict[str, Any]:
    """Return what an instruction means, or under `refused` why it was not understood."""
    from vidplan_core.errors import InstructionError
    from vidplan_core.language.instruction import parse_instruction

    try:
        return asdict(parse_instruction(text))
    except InstructionError as error:
        return {'words': text, 'refused': str(error)}


def row_line(row: dict[str, Any]) -> str:
    """Return a row as one line."""
    if 'refused' in row:
        return f'refused: {row["refused"]}'
    words = f'{row["verb"]}: {row["target"]}{_which(row["which"])}'
    if row['destination'] is not None:
        words += f' -> {row["destination"]}{_which(row["which_destination"])}'
    return words + (f' (left out: {", ".join(row["left_out"])})' if row['left_out'] else '')


def _which(row: dict[str, Any] | None) -> str:
    """Return which of several is meant, '' where nothing says it."""
    from vidplan_core.language.choice import PlaceChoice

    return '' if row is None else f' [{PlaceChoice(**row)}]'
