# SPDX-License-Identifier: Apache-2.0
"""Choosing a source of episodes on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from vidplan_training.data.readers.cell import CellSource
from vidplan_training.data.readers.ctrl_world import CtrlWorldSource
from vidplan_training.data.readers.episode import Source
from vidplan_training.data.readers.lerobot import CAMERAS, LeRobotSource

SOURCES = ('cell', 'ctrl-world', 'lerobot')
# Of Ctrl-World's views; the cell keeps its own.
HEIGHT, WIDTH = 192, 320


def add_source_arguments(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Declare --data, --source and what depends on the source."""
    parser.add_argument('--data', type=Path, required=True, help='folder of recorded episodes')
    parser.add_argument(
        '--source',
        choices=SOURCES,
        default=default,
        required=default is None,
        help='layout of the folder: of `collect`, of Ctrl-World, or of LeRobot (DROID)',
    )
    parser.add_argument(
        '--cameras',
        nargs=3,
        metavar=('LEFT', 'RIGHT', 'WRIST'),
        default=CAMERAS,
        help='of a LeRobot data set; default: those of DROID',
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('HEIGHT', 'WIDTH'),
        help=f'of a view, pixels; default: {HEIGHT} {WIDTH}, and the cell keeps its own',
    )
    parser.add_argument(
        '--frame-period', type=float, default=0.2, help='of LeRobot data, s; default: 0.2'
    )


def open_source(args: argparse.Namespace) -> Source:
    """The source that the arguments name."""
    size = tuple(args.size) if args.size else None
    if args.source == 'cell':
        return CellSource(args.data, size)
    size = size or (HEIGHT, WIDTH)
    if args.source == 'ctrl-world':
        return CtrlWorldSource(args.data, size=size)
    return LeRobotSource(args.data, args.cameras, args.frame_period, size)
