# SPDX-License-Identifier: Apache-2.0
"""`vidplan record`: write a bag of the running graph."""

from __future__ import annotations

import argparse
from typing import Any

from vidplan.cli.arguments import above_zero, new_folder, positive


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'record',
        help='write cameras, states, plans and goals of the running graph to a rosbag2',
        description='Records until Ctrl-C. The bag (mcap) is closed properly however it ends.',
    )
    parser.add_argument('out', type=new_folder, help='folder of the new bag; must not exist')
    parser.add_argument(
        '--duration',
        type=above_zero,
        default=float('inf'),
        metavar='S',
        help='end after so long [s]',
    )
    parser.add_argument(
        '--split-mb',
        type=positive,
        default=2048,
        metavar='N',
        help='go on in another file after so much [MB] (default 2048)',
    )
    parser.add_argument('--namespace', default='', help='namespace of the graph')
    parser.add_argument(
        '--remap',
        action='append',
        default=[],
        metavar='FROM:=TO',
        help='topic of this robot, such as joint_states:=/franka/joint_states; repeatable',
    )
    parser.add_argument(
        '--cameras', default='cell', help='camera layout: a file of config/cameras, or a path'
    )
    parser.add_argument(
        '--sim-time', action='store_true', help='stamp with /clock (simulated cell, played bag)'
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Record as asked and return the exit status."""
    from vidplan.bags.recorder import Recorder, record

    return record(Recorder, ros_arguments(args), args.duration)


def ros_arguments(args: argparse.Namespace) -> list[str]:
    """Return the ROS arguments of the recorder node for a parsed command line."""
    words = ['--ros-args', '-p', f"bag:='{args.out}'"]
    words += ['-p', f"cameras:='{args.cameras}'", '-p', f'split_mb:={args.split_mb}']
    words += ['-p', f'use_sim_time:={str(args.sim_time).lower()}']
    for source, target in _remappings(args.remap):
        words += ['-r', f'{source}:={target}']
    if args.namespace:
        words += ['-r', f'__ns:=/{args.namespace.strip("/")}']
    return words


def _remappings(given: list[str]) -> list[tuple[str, str]]:
    """Return the graph's own topic names, replaced by those given as FROM:=TO."""
    from vidplan_core.errors import ConfigError

    names = dict(default_remappings())
    for entry in given:
        source, arrow, target = entry.partition(':=')
        if not arrow or not source or not target:
            raise ConfigError(f'--remap {entry!r} is not FROM:=TO')
        names[source] = target
    return list(names.items())


def default_remappings() -> list[tuple[str, str]]:
    """Return how the graph table names the robot's topics."""
    from vidplan.bringup.description import argument_default, resolve
    from vidplan.bringup.graph import CELL

    values = {argument.name: argument_default(argument) for argument in CELL.arguments}
    recorder = next(p for p in CELL.processes if p.executable == 'recorder')
    return [(source, str(resolve(target, values))) for source, target in recorder.remappings]
