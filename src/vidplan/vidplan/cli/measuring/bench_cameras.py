# SPDX-License-Identifier: Apache-2.0
"""`vidplan bench cameras`: what the stitcher costs while three cameras send large pictures."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from typing import Any

from vidplan.cli.arguments import above_zero, output_file, positive, seconds

# Of shared memory: some pictures of every camera.
_ROOM_MIB = 128


def add_parser(subparsers: Any) -> None:
    """Add the command to `vidplan bench`."""
    parser = subparsers.add_parser(
        'cameras',
        help='measure what three fast cameras cost the stitcher',
        description='Publishes pictures of three cameras and the states of an arm that rests, '
        'and tells which share of a processor core the process of the stitcher takes.',
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the result')
    parser.add_argument('--rate', type=above_zero, default=60.0, help='Hz (default %(default)s)')
    parser.add_argument(
        '--observations',
        type=above_zero,
        metavar='HZ',
        help="largest rate of observations (default: the stitcher's `publish_rate_hz`)",
    )
    parser.add_argument('--width', type=positive, default=1280, help='default %(default)s')
    parser.add_argument('--height', type=positive, default=720, help='default %(default)s')
    parser.add_argument('--jpeg', action='store_true', help='send compressed pictures')
    parser.add_argument(
        '--check-views', action='store_true', help='the stitcher checks whether to believe them'
    )
    parser.add_argument('--seconds', type=seconds, default=20.0, help='default %(default)s')
    parser.add_argument('--verbose', action='store_true', help='show what the stitcher says')


def run(args: argparse.Namespace) -> int:
    """Measure and print.

    Raises:
        TrialError: the stitcher publishes nothing.
    """
    # Nobody else's robot: the process that is started here inherits it, too.
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    import rclpy

    from vidplan.ros.log_folder import log_folder
    from vidplan.trials.camera_load import Load, measure_load
    from vidplan_eval.results import write_json
    from vidplan_sim.ros.room import make_room_for_images

    make_room_for_images(_ROOM_MIB)
    load = Load(args.width, args.height, args.rate, args.jpeg, args.check_views)
    if args.observations is not None:
        load = replace(load, observation_hz=args.observations)
    log_folder()
    rclpy.init(args=[])
    try:
        result = measure_load(load, args.seconds, lambda _, line: args.verbose and print(line))
    finally:
        rclpy.try_shutdown()
    print(
        f'{100 * result["core_share"]:.1f} % of a core: three cameras at '
        f'{result["camera_hz"]:.0f} Hz, {result["observation_hz"]:.1f} observations a second'
    )
    if args.json is not None:
        write_json(args.json, {**result, 'settings': vars(load)})
    return 0
