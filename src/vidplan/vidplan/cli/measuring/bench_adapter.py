# SPDX-License-Identifier: Apache-2.0
"""`vidplan bench adapter`: whether what the adapter accepts keeps every rule, and its time."""

from __future__ import annotations

import argparse
from typing import Any

from vidplan.cli.arguments import output_file, positive, seed


def add_parser(subparsers: Any) -> None:
    """Add the command to `vidplan bench`."""
    parser = subparsers.add_parser(
        'adapter',
        help='hand the adapter random and hostile plans, and check what it accepts',
        description='Hands the adapter sensible, greedy, low, wild and broken plans and stops it '
        'in between. What it lets pass is followed by an arm that shares no code with it, which '
        "checks Franka's documented limits at 1 kHz and the exact meshes against the table, a box "
        'and each other. With --json the run goes on where the file ends.',
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the result')
    parser.add_argument('--seed', type=seed, default=1, help='default %(default)s')
    parser.add_argument('--plans', type=positive, default=1000, help='default %(default)s')


def run(args: argparse.Namespace) -> int:
    """Try the plans; the exit code is 1 where a rule was broken."""
    import torch

    from vidplan_eval.suites.adapter.law import try_plans

    torch.set_num_threads(1)  # seven joints need no thread pool
    result = try_plans(args.plans, args.seed, args.json)
    print(f'{result["plans"]} plans, {result["accepted"]} accepted, {result["stops"]} stops')
    for name, count in result['violations'].items():
        print(f'{name:16s} {count:6d} violations')
    for name, count in result['exceptions'].items():
        print(f'{count} unexpected {name}')
    p50, p99, most = (result[f'compute_{name}_ms'] for name in ('p50', 'p99', 'max'))
    print(f'computed in {p50:.2f} ms (50 %), {p99:.2f} ms (99 %), {most:.2f} ms at most')
    return int(any(result['violations'].values()) or bool(result['exceptions']))
