# SPDX-License-Identifier: Apache-2.0
"""`vidplan report`: the headline of a run, and two runs or results beside each other."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from vidplan.cli.arguments import existing, output_file


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'report',
        help='say what came of a run; compare two runs, replays or evaluations',
        description='vidplan report RUN: what came of a run, and where its page is. vidplan '
        'report compare A B: differences of A minus B over the seeds or cycles that both have, '
        'with 95 % intervals.',
    )
    parser.add_argument(
        'words', nargs='+', metavar='RUN | compare A B', help='folders, pages or JSON files'
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the differences')
    parser.add_argument('--open', action='store_true', help='show the page in a browser')
    return parser


def run(args: argparse.Namespace) -> int:
    """Tell about one run, or compare two.

    Raises:
        ConfigError: not one or two of them, or one has no numbers.
    """
    from vidplan_core.errors import ConfigError

    comparing = args.words[0] == 'compare'
    names = args.words[1:] if comparing else args.words
    if len(names) != (2 if comparing else 1):
        raise ConfigError(
            f'{len(names)} runs: say `vidplan report RUN`, or `vidplan report compare A B`'
        )
    return _compare(args, names) if comparing else _tell(args, names[0])


def _path(name: str) -> Any:
    from vidplan_core.errors import ConfigError

    try:
        return existing(name)
    except argparse.ArgumentTypeError as error:
        raise ConfigError(str(error)) from None


def _tell(args: argparse.Namespace, name: str) -> int:
    from vidplan.cli.terminal import open_in_browser
    from vidplan_eval.report.compare import numbers_file, read_numbers

    path = _path(name)
    for line in headline(read_numbers(path)):
        print(line)
    page = numbers_file(path).with_suffix('.html')
    if page.exists():
        print(page)
        if args.open:
            open_in_browser(page)
    return 0


def headline(numbers: dict[str, Any]) -> list[str]:
    """Return what came of a run or an evaluation, in a few lines."""
    if 'rows' in numbers:
        from vidplan_core.metrics.intervals import exact_interval

        rows = [row for row in numbers['rows'] if 'success' in row]
        done = sum(bool(row['success']) for row in rows)
        low, high = exact_interval(done, len(rows))
        return [f'{done} of {len(rows)} (95 %: {low:.0%} .. {high:.0%})']
    times = numbers['deadlines']
    lines = [f'"{numbers["instruction"]}": {numbers["code"] or "no result"}', numbers['message']]
    lines.append(
        f'{times["cycles"]} cycles, {times["late"]} of {times["timed"]} plans late, '
        f'{times["missing"]} cycles without a plan'
    )
    if times['p50_s'] is not None:
        lines.append(
            f'plan: {times["p50_s"]:.2f} s median, {times["longest_s"]:.2f} s the longest of '
            f'{times["timed"]}'
        )
    return [line for line in lines if line]


def _compare(args: argparse.Namespace, names: list[str]) -> int:
    from vidplan_eval.report.compare import compare, read_numbers
    from vidplan_eval.results import write_json

    found = compare(*(read_numbers(_path(name)) for name in names))
    print(f'A {names[0]}, B {names[1]}: A / B, A - B')
    for one in found:
        print(f'  {one.line}')
    if args.json is not None:
        write_json(args.json, {'a': names[0], 'b': names[1], 'found': [asdict(d) for d in found]})
    return 0
