# SPDX-License-Identifier: Apache-2.0
"""The command line of `vidplan evaluate`; each suite has a file of its own beside this one."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Any

from vidplan.cli.arguments import (
    above_zero,
    device,
    existing_file,
    existing_folder,
    models,
    output_file,
    output_folder,
    positive,
    seed,
)
from vidplan_core.errors import ConfigError
from vidplan_eval.suites.fold.names import LIMIT_S as FOLD_LIMIT_S
from vidplan_eval.suites.fold.names import NOTHING
from vidplan_eval.suites.pick_place.names import BASES, LIMIT_S, METHODS, TASKS

# Suites and the modules of this folder that run them.
SUITES = {
    'reach': 'reach',
    'choice': 'choice',
    'hacking': 'hacking',
    'pick_place': 'pick_place',
    'clutter': 'pick_place',
    'refinement': 'refinement',
    'fold': 'fold',
    'push': 'push',
}
KNOWN = (*METHODS, NOTHING)
FIRST_EVALUATION_SEED = 1_000_000
REACH_LIMIT_S = 20.0


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'evaluate',
        help='measure the planner against the simulator, in lock-step',
        description='Runs episodes of a suite and writes what came of each, with exact '
        "intervals. Simulated time passes by the planner's own schedule, so the result does "
        'not depend on how fast this machine is. `vidplan evaluate report DIR` compares the '
        'result files of a folder.',
    )
    parser.add_argument(
        '--suite', choices=SUITES, default='reach', metavar='NAME', help=', '.join(SUITES)
    )
    parser.add_argument(
        '--method', choices=KNOWN, default='vidplan', metavar='NAME', help=', '.join(KNOWN)
    )
    parser.add_argument('--episodes', type=positive, default=50, help='of each kind')
    parser.add_argument(
        '--seed',
        type=seed,
        default=FIRST_EVALUATION_SEED,
        help='seed of the first scene, then one more each (default %(default)s; lower ones are '
        'for training and tuning)',
    )
    parser.add_argument(
        '--json', type=output_file, metavar='FILE', help='result, rewritten as it grows'
    )
    parser.add_argument(
        '--videos', type=output_folder, metavar='DIR', help='a video or picture each'
    )
    parser.add_argument('--models', type=models, metavar='DIR', help='default: the shipped ones')
    parser.add_argument('--params', type=existing_file, metavar='YAML', help='how to plan')
    parser.add_argument('--device', type=device, default='cpu')
    parser.add_argument('--threads', type=positive, help='default: as PyTorch chooses')
    parser.add_argument(
        '--time-limit',
        type=above_zero,
        metavar='S',
        help=f'simulated; default {LIMIT_S:g}, suites reach and fold {REACH_LIMIT_S:g}',
    )
    parser.add_argument('--execute-frames', type=positive, default=2, help='between two plans')
    parser.add_argument(
        '--objects', type=positive, default=4, help='bowl aside; suites reach, choice, hacking'
    )
    _add_pick_place(parser)
    _add_report(parser.add_subparsers(dest='what', metavar='[report]'))
    return parser


def _add_pick_place(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('suites pick_place, clutter, refinement, fold and push')
    group.add_argument('--task', choices=TASKS, default='carrot', help='what goes into the bowl')
    group.add_argument(
        '--distractors',
        type=int,
        choices=range(6),
        default=4,
        metavar='N',
        help='other objects, 0 to 5 (clutter: all of them)',
    )
    group.add_argument(
        '--base', choices=BASES, help='policy to plan on top of; default: as the planner says'
    )
    group.add_argument('--workers', type=positive, default=1, help='processes, a thread each')
    group.add_argument(
        '--ray', default='', metavar='ADDRESS', help="workers on a Ray cluster; 'local' starts one"
    )


def _add_report(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        'report',
        help='compare the result files of a folder, with exact intervals and paired tests',
        description='Writes report.md, report.html and its pictures from the result files of '
        'pick_place, clutter and hacking in a folder.',
    )
    parser.add_argument('folder', type=existing_folder, metavar='DIR')
    parser.add_argument(
        '--out', type=output_folder, metavar='DIR', help='default: the same folder'
    )


def run(args: argparse.Namespace) -> int:
    """Run the suite and return the exit status: 0 when it was run, whatever it found."""
    if args.what == 'report':
        return int(import_module('vidplan.cli.evaluate.report').run(args))
    if args.seed < FIRST_EVALUATION_SEED:
        print(f'note: seeds below {FIRST_EVALUATION_SEED} are for training and tuning')
    if args.time_limit is None:
        limits = {'reach': REACH_LIMIT_S, 'fold': FOLD_LIMIT_S}
        args.time_limit = limits.get(args.suite, LIMIT_S)
    if args.method == NOTHING and args.suite not in ('fold', 'push'):
        raise ConfigError(f"method '{NOTHING}' is a control of suites fold and push")
    if args.threads:
        import torch

        torch.set_num_threads(args.threads)
    return int(import_module(f'vidplan.cli.evaluate.{SUITES[args.suite]}').run(args))
