# SPDX-License-Identifier: Apache-2.0
"""`vidplan bench cancels`: how soon the arm of a running graph rests after a cancel."""

from __future__ import annotations

import argparse
from typing import Any

from vidplan.cli.arguments import output_file, positive, seed

_INSTRUCTIONS = 'move to the carrot', 'move to the fish'


def add_parser(subparsers: Any) -> None:
    """Add the command to `vidplan bench`."""
    parser = subparsers.add_parser(
        'cancels',
        help='cancel goals of a running graph while the arm moves',
        description='Sends goals to a graph that runs (`vidplan up --cell`), cancels each at a '
        'random moment while the arm moves, and tells how long it moves on, by the stamps of '
        'its joint states and by the clock.',
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the result')
    parser.add_argument('--seed', type=seed, default=1, help='default %(default)s')
    parser.add_argument('--count', type=positive, default=20, help='default %(default)s')
    parser.add_argument('--namespace', default='', help='namespace of the graph')
    parser.add_argument(
        '--instructions', nargs='+', default=list(_INSTRUCTIONS), help='default: %(default)s'
    )


def run(args: argparse.Namespace) -> int:
    """Measure and print.

    Raises:
        GoalError: there is no graph, or it takes no goals.
    """
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node

    from vidplan.ros.log_folder import log_folder

    log_folder()
    rclpy.init(args=[])
    node = Node('vidplan_cancels', namespace=args.namespace)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        return _measure(args, node, executor)
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()


def _measure(args: argparse.Namespace, node: Any, executor: Any) -> int:
    from dataclasses import asdict

    from vidplan.tasks.cancels import Cancel, Canceller, cancel_goals
    from vidplan.tasks.goal_client import GoalError
    from vidplan_eval.results import write_json
    from vidplan_eval.suites.adapter.stops import spread, spread_words

    rows: list[dict[str, Any]] = []

    def keep(cancel: Cancel) -> None:
        rows.append(asdict(cancel))
        if args.json is not None:
            write_json(args.json, {'cancels': rows, 'settings': {'seed': args.seed}})

    canceller = Canceller(node, executor, args.seed)
    if not canceller.client.wait_for_server(10.0):
        raise GoalError(
            'no planning server; is `vidplan up --cell` running, in the same '
            'ROS_DOMAIN_ID and namespace?'
        )
    found = cancel_goals(canceller, args.instructions, args.count, keep)
    print(f'{len(found)} of {args.count} cancelled in mid motion')
    for name in ('own_s', 'clock_s'):
        seconds = [row[name] for row in rows]
        words = spread_words(spread(seconds)) if seconds else 'none'
        print(f'{name:8s} at rest after {words}')
    return int(len(found) < args.count)
