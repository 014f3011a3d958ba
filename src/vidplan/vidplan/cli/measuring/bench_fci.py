# SPDX-License-Identifier: Apache-2.0
"""`vidplan bench fci`: random plans through Franka's own interface, until the arm stops itself."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from vidplan.cli.arguments import output_file, seconds, seed

if TYPE_CHECKING:
    from vidplan.robots.franka.fci_trial import FciResult

# The result is written after so much of the arm's time, s.
_BLOCK_S = 20.0
# The process at the arm is held up for so long, s; a simulator that waits does so for 2 s.
_PAUSE_S, _LONG_PAUSE_S = 0.3, 3.0


def add_parser(subparsers: Any) -> None:
    """Add the command to `vidplan bench`."""
    parser = subparsers.add_parser(
        'fci',
        help="command an arm through Franka's own interface, without ROS",
        description='Hands the adapter random plans, of picks and of all other kinds, and stops '
        'it; what it lets pass goes to an arm through libfranka, once a millisecond. Tells what '
        'the arm refused or stopped at. For a simulator of the protocol: it moves the arm.',
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the result')
    parser.add_argument('--seed', type=seed, default=1, help='default %(default)s')
    parser.add_argument('--host', default='127.0.0.1', help='of the arm (default %(default)s)')
    parser.add_argument(
        '--seconds', type=seconds, default=20.0, help='default %(default)s'
    )
    parser.add_argument(
        '--provoke', action='store_true',
        help='at the end, hold the process at the arm up until the arm stops itself, and recover',
    )  # fmt: skip
    parser.add_argument(
        '--simulated-time', action='store_true',
        help="keep to the arm's own time: for a simulator that waits for every command",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Measure and print; the exit code is 1 where the arm stopped itself unasked, or is gone.

    Raises:
        ConfigError: no arm answers.
    """
    import torch

    from vidplan.parameters.fci import FciParameters
    from vidplan.robots.franka.fci_process import FciProcess
    from vidplan.robots.franka.fci_trial import FciTrial

    torch.set_num_threads(1)
    parameters = FciParameters(
        host=args.host, enforce_realtime=False, realtime_priority=0, state_rate_hz=100.0
    )
    process = FciProcess(parameters, clock=None if args.simulated_time else time.time)
    trial = FciTrial(process, args.seed)
    try:
        while (left_s := args.seconds - trial.result.seconds) > 0 and process.runs:
            trial.run(min(left_s, _BLOCK_S))
            _keep(args, trial.result)
        failed = bool(sum(trial.result.reflexes.values())) or not process.runs
        _say(trial.result)
        if args.provoke and process.runs:
            trial.provoke(_LONG_PAUSE_S if args.simulated_time else _PAUSE_S)
            again = 'moves again' if trial.result.recovered else 'does not move again'
            print(f'provoked: {_words(trial.result.reflexes)}; after recovery it {again}')
            _keep(args, trial.result)
    finally:
        process.end()
    return int(failed or trial.result.recovered is False)


def _keep(args: argparse.Namespace, result: FciResult) -> None:
    from vidplan_eval.results import write_json

    if args.json is not None:
        write_json(args.json, result.as_json() | {'settings': {'seed': args.seed}})


def _say(result: FciResult) -> None:
    print(
        f'{result.seconds:.0f} s, {result.cycles} cycles of 1 ms, {result.accepted} of '
        f'{result.plans} plans followed, {result.stops} stops, {result.way_rad:.0f} rad'
    )
    print(f'reflexes: {_words(result.reflexes)}; refused: {_words(result.refusals)}')


def _words(counts: Counter[str]) -> str:
    return ', '.join(f'{count} {name}' for name, count in counts.items()) or 'none'
