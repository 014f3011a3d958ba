# SPDX-License-Identifier: Apache-2.0
"""`vidplan bag`: data sets to bags, bags to training episodes, and what is in a bag."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidplan.cli.arguments import (
    above_zero,
    existing_bag,
    existing_file,
    existing_folder,
    output_file,
    output_folder,
    positive,
)

if TYPE_CHECKING:
    from vidplan_eval.bags.observations import BagSource
    from vidplan_eval.datasets.episode import Source
    from vidplan_eval.datasets.export import ExportedBag

VERSIONS = ('v2.1', 'v3.0')


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'bag',
        help='turn data sets into bags and bags into training episodes; say what a bag holds',
        description='None of this needs ROS or a robot.',
    )
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION')
    _add_info(actions)
    _add_import(actions)
    _add_export(actions)
    return parser


def _add_info(actions: Any) -> None:
    info = actions.add_parser('info', help='topics, damage, and the map by which it is read')
    info.add_argument(
        'bag', type=existing_bag, help='folder of a rosbag2, or one .mcap or .db3 file'
    )
    add_map(info)
    info.add_argument('--cameras', default='cell', help='camera layout whose views are looked for')


def _add_import(actions: Any) -> None:
    parser = actions.add_parser('import', help='episodes of a data set to bags')
    parser.add_argument(
        'data', type=existing_folder, help="folder in LeRobot's or in Ctrl-World's layout"
    )
    parser.add_argument('out', type=output_folder, help='folder in which every episode gets a bag')
    add_names(parser)
    parser.add_argument('--episodes', type=positive, metavar='N', help='the first N; default: all')
    parser.add_argument(
        '--robot', default='fer_hand', help="whose joint names are written; DROID's"
    )


def _add_export(actions: Any) -> None:
    parser = actions.add_parser('export', help="bags to training episodes in LeRobot's format")
    parser.add_argument('bags', type=existing_bag, nargs='+', help='folders or files')
    parser.add_argument(
        '--out', type=output_folder, required=True, metavar='DIR', help='new folder'
    )
    parser.add_argument('--version', choices=VERSIONS, default='v3.0', help='of the format')
    parser.add_argument(
        '--fps', type=above_zero, default=5.0, help='frames per second (default 5)'
    )
    parser.add_argument(
        '--size', type=_size, default='192x320', metavar='HxW', help='of a view, pixels'
    )
    parser.add_argument('--cameras', default='cell', help='camera layout: names of the views')
    parser.add_argument('--instruction', default='', help='default: the goal in each bag')
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write what was lost')
    add_map(parser)


def _names(words: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in words.split(','))
    if len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f'{words!r} names one of them twice')
    return names


def add_names(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a LeRobot data set names things."""
    parser.add_argument(
        '--cameras',
        type=_names,
        metavar='A,B,C',
        help="LeRobot: videos or images of the left, right and wrist view; default DROID's",
    )
    parser.add_argument(
        '--columns',
        nargs='+',
        default=[],
        metavar='NAME=COLUMN',
        help='LeRobot: pose=, gripper=, joints=, success= or text=, such as '
        "pose=observation.state[0:6] gripper=observation.state[-1]; default DROID's",
    )


def add_map(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a bag is read."""
    parser.add_argument(
        '--map',
        type=existing_file,
        metavar='FILE',
        help='which topic is which camera, arm and gripper; guessed and printed if not given',
    )
    parser.add_argument(
        '--robot',
        default='fr3_hand',
        help='a file of config/robots, or the path of another (default fr3_hand)',
    )
    parser.add_argument(
        '--joint-prefix', default='', help='of the joint names; tells several arms apart'
    )


def bag_source(args: argparse.Namespace) -> BagSource:
    """Return how the bag of a parsed command line is to be read."""
    from vidplan_eval.bags.observations import BagSource
    from vidplan_eval.bags.sensor_map import read_sensor_map

    sensors = None if args.map is None else read_sensor_map(args.map)
    return BagSource(sensors, args.robot, args.joint_prefix)


def run(args: argparse.Namespace) -> int:
    """Do what was asked and return the exit status."""
    return {'info': _info, 'import': _import, 'export': _export}[args.action](args)


def _info(args: argparse.Namespace) -> int:
    from vidplan_core.geometry.camera_files import load_layout
    from vidplan_eval.bags.guessing import find_sensors, require_map
    from vidplan_eval.bags.rosbag import Bag
    from vidplan_eval.bags.sensor_map import read_sensor_map
    from vidplan_eval.bags.storage.stored import BagError

    with Bag(args.bag) as bag:
        for topic, count in sorted(bag.counts.items()):
            print(f'{count:9d}  {topic}  {bag.channels[topic].type_name}')
        for note in bag.notes:
            print(f'note: {note}')
        try:
            if args.map is not None:
                sensors = read_sensor_map(args.map)
                require_map(bag, sensors)
                print(sensors.text(), end='')
                return 0
            views = load_layout(args.cameras).views
            found = find_sensors(bag, views, args.robot, args.joint_prefix)
        except BagError as error:
            print(f'no map: {error}')
            return 1
        print('# which topic is what' + (', guessed' if found.guessed else ''))
        print(found.sensors.text(), end='')
    return 0


def open_data(
    path: Path,
    cameras: Sequence[str] | None = None,
    columns: Sequence[str] = (),
) -> Source:
    """Return the episodes of a folder, whichever layout it has; names as of `add_names`.

    Raises:
        ConfigError: it has none that is known, or not what is named.
    """
    from vidplan_core.errors import ConfigError

    if (path / 'meta' / 'info.json').is_file():
        from vidplan_eval.datasets.lerobot import CAMERAS, LeRobotSource
        from vidplan_eval.datasets.lerobot_columns import Columns

        names = Columns.named(columns)
        return LeRobotSource(path, cameras or CAMERAS, None, columns=names)
    if (path / 'annotation').is_dir():
        from vidplan_eval.datasets.ctrl_world import CtrlWorldSource

        return CtrlWorldSource(path)
    raise ConfigError(f'{path} has neither meta/info.json (LeRobot) nor annotation/ (Ctrl-World)')


def _import(args: argparse.Namespace) -> int:
    source = open_data(args.data, cameras=args.cameras, columns=args.columns)
    from vidplan_eval.datasets.episode_bag import write_episode_bag
    from vidplan_eval.datasets.errors import EpisodeError

    ids = [*source.ids(held_out=False), *source.ids(held_out=True)][: args.episodes]
    failed = 0
    for number, name in enumerate(ids, 1):
        path = args.out / name.replace('/', '_')
        try:
            write_episode_bag(source.read(name), source.views, path, args.robot)
            print(f'{number}/{len(ids)}  {path}', flush=True)
        except EpisodeError as error:
            failed += 1
            print(f'{number}/{len(ids)}  left out: {error}', flush=True)
    print(f'{len(ids) - failed} of {len(ids)} episodes are bags in {args.out}')
    return 0 if failed < len(ids) else 1


def _export(args: argparse.Namespace) -> int:
    from vidplan_core.geometry.camera_files import load_layout
    from vidplan_eval.datasets.export import export_bag
    from vidplan_eval.datasets.lerobot_writer import LeRobotWriter
    from vidplan_eval.results import write_json

    layout = load_layout(args.cameras).resized(*args.size)
    writer = LeRobotWriter(args.out, layout, args.fps, args.version)
    done: list[ExportedBag] = []
    for path in args.bags:
        done.append(export_bag(path, writer, bag_source(args), args.instruction))
        _print_export(done[-1])
    writer.close()
    frames = sum(entry.frames for entry in done)
    print(f'{len(writer.episodes)} episodes, {frames} frames in {args.out} ({args.version})')
    if args.json is not None:
        write_json(args.json, {'version': args.version, 'bags': [asdict(one) for one in done]})
    return 0


def _size(words: str) -> tuple[int, int]:
    height, cross, width = words.partition('x')
    if not (cross and height.isdigit() and width.isdigit()):
        raise argparse.ArgumentTypeError(f'{words!r} is not HxW, such as 192x320')
    return int(height), int(width)


def _print_export(done: ExportedBag) -> None:
    print(
        f'{done.bag}: {done.episodes} episodes, {done.frames} frames; read back: poses within '
        f'{done.pose_error:.1e}, pictures {done.psnr_db:.1f} dB'
    )
    if done.short:
        print(f'  {done.short} frames in stretches that are too short were left out')
    for words in done.skipped:
        print(f'  left out {words}')
    if not done.text:
        print('  no instruction: give one by --instruction')
