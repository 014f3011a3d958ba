# SPDX-License-Identifier: Apache-2.0
"""`vidplan calibrate`: where a camera is, from the arm and a printed tag, or from TF."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidplan.cli.arguments import (
    above_zero,
    existing_bag,
    existing_file,
    existing_folder,
    output_file,
    positive,
)
from vidplan.cli.recordings.bag import add_map, bag_source
from vidplan.cli.recordings.calibrated import (
    camera_info,
    entry_of,
    lens_of_call,
    tell_lens,
    tell_place,
    write,
)

if TYPE_CHECKING:
    from vidplan_core.data.calibration.hand_eye import Calibration
    from vidplan_core.data.calibration.lens import Lens
    from vidplan_core.data.calibration.looks import LookCollector
    from vidplan_core.data.calibration.tag import Tag

# How often a recording is looked at, s.
_PERIOD_S = 0.2
# A tag is printed with so many dots for a metre: 300 for an inch.
_DOTS_M = 300 / 0.0254


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'calibrate',
        help='find where a camera is, from the arm and a printed tag, or from TF',
        description='Reads a recording (or a folder of pictures with joints.csv) in which the arm '
        'rested in about 15 poses, or listens to a running robot (--live) while somebody leads it '
        'there, and writes where the camera is. A camera on a stand needs the tag on the hand; '
        'one on the hand needs the tag on the table. With --from-tf it writes what the '
        'transforms in the recording say.',
    )
    parser.add_argument('source', type=existing_bag, nargs='?', help='recording, or folder')
    parser.add_argument('--view', help='which camera: left, right, wrist')
    _add_ways(parser)
    parser.add_argument('--number', type=int, default=0, help='of the tag (default %(default)s)')
    parser.add_argument('--family', default='apriltag_36h11', help='default %(default)s')
    parser.add_argument('--print', type=output_file, metavar='PNG', help='write the tag to print')
    parser.add_argument(
        '--mount', choices=('base', 'flange'), help='default: flange for wrist, else base'
    )
    _add_live(parser)
    _add_lens(parser)
    parser.add_argument(
        '--out', type=output_file, metavar='FILE', help='cameras.json; other views in it stay'
    )
    parser.add_argument(
        '--models', type=existing_folder, metavar='DIR', help='compare with its cameras.json'
    )
    parser.add_argument(
        '--trust', type=above_zero, default=0.02, metavar='M', help='trust_m (default %(default)s)'
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the result')
    add_map(parser)
    return parser


def _add_ways(parser: argparse.ArgumentParser) -> None:
    ways = parser.add_mutually_exclusive_group(required=True)
    ways.add_argument('--tag', type=above_zero, metavar='M', help='side of its black square, m')
    ways.add_argument(
        '--from-tf', action='store_true', help='from the transforms in the recording'
    )
    parser.add_argument(
        '--frame', metavar='NAME', help="of the camera in TF; default: its messages' frame_id"
    )
    parser.add_argument(
        '--parent', metavar='NAME', help="in TF; default: the arm's link0, or link8 for flange"
    )


def _add_live(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--live', action='store_true', help='listen to topics instead of reading a recording'
    )
    parser.add_argument(
        '--image', metavar='TOPIC', help='of the pictures; default: VIEW/image_raw'
    )
    parser.add_argument(
        '--joint-states', default='joint_states', metavar='TOPIC', help='default %(default)s'
    )
    parser.add_argument(
        '--poses', type=positive, default=15, help='ends after so many (default %(default)s)'
    )


def _add_lens(parser: argparse.ArgumentParser) -> None:
    lens = parser.add_mutually_exclusive_group()
    lens.add_argument(
        '--lens', type=existing_file, metavar='YAML', help='as camera_calibration writes it'
    )
    lens.add_argument(
        '--focal', type=above_zero, nargs=2, metavar=('FX', 'FY'),
        help='in widths and heights; no distortion. Default: camera_info of the recording',
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Find and write.

    Raises:
        ConfigError: something is missing, in the call or in the recording.
        CalibrationError: no place follows from the pictures, or from TF.
    """
    from vidplan_core.data.calibration.hand_eye import calibrate
    from vidplan_core.data.calibration.tag import Tag
    from vidplan_core.errors import ConfigError

    if args.from_tf:
        return _run_from_tf(args)
    if args.frame or args.parent:
        raise ConfigError('--frame and --parent are names in TF: they go with --from-tf')
    tag = Tag(args.tag, args.number, args.family)
    if args.print is not None:
        _print_tag(tag, args.print)
        return 0
    if (args.source is None) != args.live or not args.view:
        raise ConfigError(
            'name a recording (or --live) and --view, or --print FILE for a tag to print'
        )
    mount = _mount(args)
    if args.live:
        from vidplan.cli.recordings.calibrate_live import live_looks

        collector, lens = live_looks(args, tag)
    else:
        collector, lens = _looks(args, tag)
    passed = ', '.join(f'{count} {reason}' for reason, count in collector.passed.items())
    print(f'{len(collector.looks)} looks at the tag; other pictures: {passed or "none"}')
    found = calibrate(collector.looks, tag, lens, on_flange=mount == 'flange')
    _tell(found, mount, lens)
    keys = ('rms_px', 'worst_px', 'spread_m', 'spread_rad', 'looks', 'tag')
    entry = entry_of(found.camera, mount, lens, args.trust)
    write(args, entry, **{key: getattr(found, key) for key in keys})
    return 0


def _run_from_tf(args: argparse.Namespace) -> int:
    from vidplan.cli.recordings.calibrate_tf import calibrate_from_tf
    from vidplan_core.errors import ConfigError

    if args.print is not None or args.live:
        raise ConfigError('--print writes a tag and --live looks at one: they go with --tag')
    if args.source is None or not args.view:
        raise ConfigError('name a recording and --view: which camera its transforms tell of')
    calibrate_from_tf(args, _mount(args))
    return 0


def _mount(args: argparse.Namespace) -> str:
    return str(args.mount or ('flange' if args.view == 'wrist' else 'base'))


def _print_tag(tag: Tag, path: Path) -> None:
    from PIL import Image

    side = round(tag.size_m * _DOTS_M)
    picture = tag.picture(side, margin=side // 4)
    dots = _DOTS_M * 0.0254 * (side / (tag.size_m * _DOTS_M))
    Image.fromarray(picture).save(path, format='PNG', dpi=(dots, dots))
    print(
        f'wrote {path}: print it at 100 %, measure the black side, and give that as --tag '
        f'(meant: {tag.size_m:g})'
    )


def _looks(args: argparse.Namespace, tag: Tag) -> tuple[LookCollector, Lens]:
    """Return the looks of a recording or folder, and the lens that they were taken with."""
    from vidplan_core.data.calibration.looks import JOINTS_FILE, LookCollector, read_folder
    from vidplan_core.geometry.robot_files import load_robot

    lens: Lens | None = None
    if (args.source / JOINTS_FILE).is_file():
        collector = LookCollector(tag, load_robot(args.robot, args.joint_prefix))
        for image, q in read_folder(args.source):
            lens = lens or lens_of_call(args, (image.shape[1], image.shape[0]), None)
            lens.require_size(image.shape[1], image.shape[0])
            collector.add(image, q)
    else:
        frames = _frames(args)
        lens, robot = next(frames)
        collector = LookCollector(tag, robot)
        for image, q in frames:
            collector.follow(image, q)
    return collector, lens or lens_of_call(args, None, None)


def _frames(args: argparse.Namespace) -> Iterator[Any]:
    """Yield the lens and the robot of a recording, then pictures with joint angles (7,)."""
    from vidplan_core.geometry.camera_layout import CameraLayout
    from vidplan_eval.bags.guessing import find_sensors
    from vidplan_eval.bags.observations import ObservationStream
    from vidplan_eval.bags.pictures import picture
    from vidplan_eval.bags.rosbag import Bag
    from vidplan_eval.bags.storage.stored import BagError

    source = bag_source(args)
    with Bag(args.source) as bag:
        sensors = source.sensors
        if sensors is None:
            sensors = find_sensors(bag, (args.view,), args.robot, args.joint_prefix).sensors
        if args.view not in sensors.cameras:
            raise BagError(f'no camera {args.view!r}; there are {", ".join(sensors.cameras)}')
        topic = sensors.cameras[args.view]
        one = replace(sensors, cameras={args.view: topic})
        first = next(iter(bag.peek(topic, 1)))
        height, width = picture(first, bag.channels[topic].type_name).shape[:2]
        info = camera_info(bag, args.view, topic)
        yield lens_of_call(args, (width, height), info), one.model()
        layout = CameraLayout((args.view,), height, width)
        for seen in ObservationStream(bag, layout, _PERIOD_S, replace(source, sensors=one)):
            yield seen.image, seen.q


def _tell(found: Calibration, mount: str, lens: Lens) -> None:
    import numpy as np

    tell_place(found.camera, mount)
    print(f'corners are {found.rms_px:.2f} px off (rms), {found.worst_px:.2f} at most')
    print(
        f'without any one of {found.looks} looks it is at most {1e3 * found.spread_m:.1f} mm and '
        f'{np.degrees(found.spread_rad):.2f} degrees elsewhere'
    )
    tell_lens(lens)
