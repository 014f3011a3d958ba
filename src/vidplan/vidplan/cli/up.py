# SPDX-License-Identifier: Apache-2.0
"""`vidplan up`: the processes of the graph table, where ROS launch is not installed."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from typing import Any

from vidplan.bringup.description import Argument, Graph, GraphSettings, argument_default
from vidplan.bringup.graph import CELL, GRAPHS, PLANNING, REPLAY
from vidplan.cli.terminal import coloured

EXIT_FAILED = 1
_POLL_S = 0.1
_COLOURS = (36, 35, 33, 32, 34, 95, 96)


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'up',
        help='start the graph: for a robot, against the simulated cell, or fed from a bag',
        description='Starts stitcher, planning server and action adapter for a robot that is '
        'already up; with --cell the simulated robot too. Ctrl-C ends all of them. The same as '
        '`ros2 launch vidplan planning.launch.py`, for machines without launch.',
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument('--cell', action='store_true', help=CELL.description)
    which.add_argument('--replay', metavar='BAG', help=REPLAY.description)
    for argument in graph_arguments():
        add_option(parser, argument)
    return parser


def graph_arguments() -> list[Argument]:
    """Return every argument of any graph once; the bag is an option of its own here."""
    arguments = {a.name: a for graph in GRAPHS.values() for a in graph.arguments}
    # Defaults as they are on a robot; --cell and --replay have their own clock.
    arguments |= {a.name: a for a in PLANNING.arguments}
    return [argument for argument in arguments.values() if argument.name != 'bag']


def add_option(parser: argparse.ArgumentParser, argument: Argument) -> None:
    """Add `--name`, None unless given."""
    option = '--' + argument.name.replace('_', '-')
    default = argument_default(argument)
    words = f'{argument.description} Default: {str(default) or "none"}.'
    if isinstance(default, bool):
        parser.add_argument(
            option, action=argparse.BooleanOptionalAction, default=None, help=words
        )
    else:
        parser.add_argument(option, type=type(default), metavar='X', help=words)


def run(args: argparse.Namespace) -> int:
    """Start the graph and stay until a signal or the end of a required process."""
    from vidplan.bringup.process import ProcessGroup
    from vidplan.bringup.supervising import Supervisor
    from vidplan.ros.log_folder import log_folder

    log_folder()  # or its processes would end one after the other
    graph = CELL if args.cell else REPLAY if args.replay else PLANNING
    values = graph_values(graph, args)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    names = [process.executable for process in graph.processes]
    with ProcessGroup(graph, values, Printer(names), simulation_environment(graph)) as group:
        supervisor = Supervisor(group, say)
        while not stop.wait(_POLL_S) and supervisor.look():
            pass
        stopped = group.stop()
    return EXIT_FAILED if supervisor.failed or not stopped else 0


def say(words: str) -> None:
    """Print a line of our own."""
    print(f'vidplan up: {words}', flush=True)


def graph_values(graph: Graph, args: argparse.Namespace) -> GraphSettings:
    """Return the graph's arguments from the options that were given.

    Raises:
        ConfigError: an option of another graph.
    """
    given = {
        argument.name: value
        for argument in graph_arguments()
        if (value := getattr(args, argument.name)) is not None
    }
    if args.replay:
        given['bag'] = args.replay
    return graph.values(given)


def simulation_environment(graph: Graph) -> dict[str, str]:
    """Keep simulations and replays on this machine: no robot may hear them by accident."""
    if graph is PLANNING or 'ROS_AUTOMATIC_DISCOVERY_RANGE' in os.environ:
        return {}
    return {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}


class Printer:
    """Prints the lines of the processes, each under its name."""

    def __init__(self, names: list[str]) -> None:
        self._width = max(map(len, names), default=0)
        self._lock = threading.Lock()
        colours = dict(zip(names, _COLOURS, strict=False)) if coloured() else {}
        self._colours = colours

    def __call__(self, name: str, line: str) -> None:
        """Print one line."""
        label = f'[{name}]'.ljust(self._width + 2)
        if name in self._colours:
            label = f'\033[{self._colours[name]}m{label}\033[0m'
        with self._lock:
            print(f'{label} {line}', flush=True)
