# SPDX-License-Identifier: Apache-2.0
"""`vidplan doctor`: what this machine has, lacks, and what to do about it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vidplan.cli.arguments import output_file
from vidplan.cli.terminal import coloured

if TYPE_CHECKING:
    from vidplan.cli.machine.checks import MachineFinding

EXIT_FAILED = 1
_COLOURS = {'ok': 32, 'warning': 33, 'failed': 31}


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'doctor',
        help='look at ROS, GPU, disk, permissions, models and clock of this machine',
        description='Exits with 0 if nothing failed, 1 if something did. Changes nothing.',
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the findings')
    return parser


def run(args: argparse.Namespace) -> int:
    """Look at everything, and print a line each."""
    from vidplan.cli.machine.checks import BAD, CHECKS
    from vidplan_eval.results import write_json

    found = [check(os.environ) for check in CHECKS]
    for finding in found:
        for line in finding_lines(finding, coloured()):
            print(line)
    if args.json is not None:
        write_json(args.json, {'findings': [asdict(finding) for finding in found]})
    return EXIT_FAILED if any(finding.state == BAD for finding in found) else 0


def finding_lines(finding: MachineFinding, colour: bool) -> Sequence[str]:
    """Return what was found in a line, and what to do in another one."""
    state = f'{finding.state:8s}'
    if colour:
        state = f'\033[{_COLOURS[finding.state]}m{state}\033[0m'
    lines = [f'{state} {finding.name:8s} {finding.words}']
    return [*lines, f'{"":17s} -> {finding.remedy}'] if finding.remedy else lines
