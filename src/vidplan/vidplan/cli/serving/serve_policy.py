# SPDX-License-Identifier: Apache-2.0
"""`vidplan serve-policy`: VidPlan behind the protocol that public benchmarks speak."""

from __future__ import annotations

import argparse
import ipaddress
import logging
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vidplan.cli.arguments import above_zero, device, existing_file, models, positive
from vidplan.cli.evaluate.loading import config_of, models_folder
from vidplan_core.planner.config import BASES, METHODS
from vidplan_core.policy_server.droid import RATE_HZ, UNIT_RAD_S

if TYPE_CHECKING:
    from vidplan.serving.planned_policy import PlannedPolicy

# A command's name, not its file's.
NAME = 'serve-policy'
COMMANDS_OF_AN_ANSWER = 6


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        NAME,
        help='serve the planner, or its policy alone, to benchmarks that speak to openpi',
        description='Serves with the websocket protocol of openpi and RoboArena: '
        'docs/policy_server.md. Ctrl-C ends it.',
    )
    parser.add_argument('--host', default='127.0.0.1', help='default: this machine only')
    parser.add_argument('--port', type=int, default=8000, help='0: any that is free')
    parser.add_argument('--models', type=models, metavar='DIR', help='default: the shipped ones')
    parser.add_argument(
        '--method', choices=METHODS, metavar='NAME', help=', '.join(METHODS)
    )
    parser.add_argument('--base', choices=BASES, help='policy to plan on top of')
    parser.add_argument('--params', type=existing_file, metavar='YAML', help='how to plan')
    parser.add_argument('--device', type=device, default='cpu')
    parser.add_argument('--threads', type=positive, help='default: as PyTorch chooses')
    group = parser.add_argument_group('commands')
    spaces = ('joint_velocity', 'joint_position')
    group.add_argument('--actions', choices=spaces, default=spaces[0], help='what is commanded')
    group.add_argument(
        '--commands', type=positive, default=COMMANDS_OF_AN_ANSWER, help='of an answer'
    )
    group.add_argument(
        '--executed', type=positive, help='of them before the next request; default: all'
    )
    group.add_argument('--rate', type=above_zero, default=RATE_HZ, metavar='HZ')
    group.add_argument(
        '--unit', type=above_zero, default=UNIT_RAD_S, metavar='RAD/S',
        help='speed of a joint that is commanded 1 (default %(default)s, as recorded in DROID)',
    )  # fmt: skip
    return parser


def run(args: argparse.Namespace) -> int:
    """Serve until it is interrupted."""
    from vidplan_core.policy_server.server import PolicyServer

    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    logging.getLogger('websockets').setLevel(logging.WARNING)
    policy = make_policy(args)
    server = PolicyServer(policy, args.host, args.port)
    if not _is_loopback(args.host):
        print(
            f'note: anybody who reaches {args.host} can ask; nothing is encrypted', file=sys.stderr
        )
    print(f'serving on {server.url}: {dict(policy.metadata)}', flush=True)
    try:
        server.serve()
    finally:
        server.close()
    return 0


def make_policy(args: argparse.Namespace) -> PlannedPolicy:
    """Load what a parsed command line asks for."""
    import numpy as np
    import torch

    from vidplan.serving.planned_policy import VELOCITY, PlannedPolicy, ServedPace, ServedSight
    from vidplan_core.geometry.robot_files import default_robot
    from vidplan_core.planner.system import PlanningSystem

    pace = ServedPace(
        args.actions, args.commands, args.executed or args.commands, args.rate, args.unit
    )
    if args.threads:
        torch.set_num_threads(args.threads)
    robot = default_robot()
    if pace.action_space == VELOCITY:  # what cannot be said in a command is not planned
        speeds = np.minimum(robot.limits.velocity, pace.unit_rad_s)
        robot = replace(robot, limits=replace(robot.limits, velocity=speeds))
    config = config_of(args, method=args.method, base=args.base)
    system = PlanningSystem.load(models_folder(args), config, args.device, robot)
    model = system.world_model.config
    ages = model.history_ages or tuple(range(model.history_frames - 1, -1, -1))
    sight = ServedSight(model.layout, model.frame_period_s, ages)
    return PlannedPolicy(system, sight, robot, pace)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'
