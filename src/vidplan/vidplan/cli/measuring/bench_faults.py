# SPDX-License-Identifier: Apache-2.0
"""`vidplan bench faults`: every live fault again and again, with the real processes."""

from __future__ import annotations

import argparse
import os
from typing import Any

from vidplan.cli.arguments import output_file, positive, seed


def add_parser(subparsers: Any) -> None:
    """Add the command to `vidplan bench`."""
    parser = subparsers.add_parser(
        'faults',
        help='let everything go wrong around a moving arm, with the real processes',
        description='Starts the adapter, then the whole graph with a planner that only moves, '
        'around a simulated arm without physics. Lets every live fault of docs/safety.md happen '
        'at random moments of motions, and cancels goals; tells how long after the bound of the '
        'fault the arm rests, whether it is named, and whether the arm can be moved again, '
        'nothing else restarted. With --json the run goes on where the file ends.',
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the result')
    parser.add_argument('--seed', type=seed, default=1, help='default %(default)s')
    parser.add_argument(
        '--tries', type=positive, default=3, help='of every fault (default %(default)s)'
    )
    parser.add_argument('--cancels', type=int, default=10, help='default %(default)s')
    parser.add_argument('--only', nargs='+', default=[], metavar='FAULT', help='default: all')
    parser.add_argument('--verbose', action='store_true', help='show what the processes say')


def run(args: argparse.Namespace) -> int:
    """Try and print; the exit code is 1 where a fault does not end as it must.

    Raises:
        ConfigError: a fault that nobody knows.
        TrialError: the processes do not start, or the arm cannot be moved at all.
    """
    # Nobody else's robot: processes that are started here inherit it, too.
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    import rclpy

    from vidplan.ros.log_folder import log_folder
    from vidplan.trials.fault_run import FAULTS, FaultRun
    from vidplan_core.errors import ConfigError
    from vidplan_sim.ros.room import make_room_for_images

    # What a process that is killed holds in shared memory is not given back: by default there is
    # so little that nothing else comes through from then on.
    make_room_for_images()
    known = [fault.name for fault in FAULTS]
    if unknown := set(args.only) - set(known):
        raise ConfigError(f'no fault {sorted(unknown)[0]!r}; there are {", ".join(known)}')

    def on_line(name: str, line: str) -> None:
        if args.verbose:
            print(f'  [{name}] {line}', flush=True)

    log_folder()
    rclpy.init(args=[])
    try:
        trial = FaultRun(args.tries, args.cancels, args.seed, args.json, args.only)
        result = trial.run(lambda line: print(line, flush=True), on_line)
    finally:
        rclpy.try_shutdown()
    _say(result)
    return int(not _all_well(result))


def _all_well(result: dict[str, Any]) -> bool:
    rows = result['faults'].values()
    fine = all(
        row[key] == row['tries'] for row in rows for key in ('at_rest', 'named', 'recovered')
    )
    cancels = result['cancels']
    return fine and (cancels is None or cancels['p99_s'] <= result['rest_within_s'])


def _say(result: dict[str, Any]) -> None:
    for name, row in result['faults'].items():
        counts = ', '.join(f'{row[key]} {key}' for key in ('at_rest', 'named', 'recovered'))
        print(
            f'{name:18s} of {row["tries"]}: {counts}; rests {row["rest_p50_s"]:.2f} s (50 %), '
            f'{row["rest_max_s"]:.2f} s at most after {row["bound"]}'
        )
    if (cancels := result['cancels']) is not None:
        print(
            f'{cancels["count"]} cancels: {cancels["p50_s"]:.2f} s (50 %), '
            f'{cancels["p99_s"]:.2f} s (99 %), {cancels["max_s"]:.2f} s at most'
        )
    if (load := result['load']) is not None:
        print(f'load of the machine: {load["median"]:.1f}, {load["most"]:.1f} at most')
