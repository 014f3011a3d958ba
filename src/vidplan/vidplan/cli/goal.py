# SPDX-License-Identifier: Apache-2.0
"""`vidplan goal`: send an instruction to a running graph and follow it."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import Any

from vidplan.cli.arguments import seconds

EXIT_FAILED = 1


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'goal',
        help='send an instruction to a running graph',
        description='Sends one goal, shows its progress, and exits with 0 if the planner judges '
        'it done. Ctrl-C cancels the goal; the arm comes to rest.',
    )
    parser.add_argument('instruction', help='such as "move to the carrot"')
    parser.add_argument('--target', default='', help='phrase to look for, instead of the noun')
    parser.add_argument(
        '--time-limit', type=seconds, default=0.0, metavar='S', help="default: the server's [s]"
    )
    parser.add_argument('--namespace', default='', help='namespace of the graph')
    parser.add_argument(
        '--wait',
        type=seconds,
        default=10.0,
        metavar='S',
        help='for a planning server that is active [s]',
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Send the goal and return the exit status.

    Raises:
        InstructionError: words that no server would take; nothing is sent.
    """
    from vidplan_core.language.instruction import parse_instruction

    if args.instruction.strip() or not args.target.strip():
        parse_instruction(args.instruction)
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node
    from rclpy.signals import SignalHandlerOptions

    from vidplan.ros.log_folder import log_folder

    log_folder()
    interrupted: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _interrupt(interrupted))
    # Ctrl-C must still reach the server as a cancel, so rclpy may not shut down at it.
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = Node('vidplan_goal', namespace=args.namespace)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        return _follow(args, node, executor, interrupted)
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()


def _follow(args: argparse.Namespace, node: Any, executor: Any, interrupted: list[int]) -> int:
    from vidplan.cli.terminal import StatusLine
    from vidplan.tasks.goal_client import GoalClient, GoalError
    from vidplan_msgs.action import PlanTask

    client = GoalClient(node, executor)
    goal = PlanTask.Goal(
        instruction=args.instruction, target=args.target, time_limit_s=args.time_limit
    )
    with StatusLine() as progress:
        progress.say('waits for the planning server')
        if not client.wait_for_server(args.wait):
            raise GoalError(
                f'no planning server within {args.wait:.0f} s; is `vidplan up` running, in the '
                'same ROS_DOMAIN_ID and namespace?'
            )
        end = client.follow(
            goal, progress.feedback, lambda: bool(interrupted), accept_within_s=args.wait
        )
    return tell_end(end, args.instruction)


def _interrupt(interrupted: list[int]) -> None:
    """Note a first Ctrl-C; leave at once at a second."""
    if interrupted:
        raise KeyboardInterrupt
    interrupted.append(1)


def tell_end(end: Any, instruction: str) -> int:
    """Print how the goal of an instruction ended and return the exit status."""
    from vidplan_core.language.deeds import deed_words

    result = end.result
    words = f'{result.cycles} cycles, {result.duration_s:.1f} s'
    if end.success:
        print(f'SUCCESS: {deed_words(instruction, result.target)} ({words})')
        return 0
    print(f'{end.code}: {result.error_msg} ({words})', file=sys.stderr)
    return EXIT_FAILED
