# SPDX-License-Identifier: Apache-2.0
"""`vidplan calibrate`: where a camera is, from the arm and a printed tag."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidplan.cli.arguments import above_zero, existing_bag, existing_file, output_file
from vidplan.cli.recordings.bag import add_map, bag_source

if TYPE_CHECKING:
    import numpy as np

    from vidplan_core.data.calibration.hand_eye import Calibration
    from vidplan_core.data.calibration.lens import Lens
    from vidplan_core.data.calibration.tag import Tag

# How often a recording is looked at, s.
_PERIOD_S = 0.2
# A tag is printed with so many dots for a metre: 300 for an inch.
_DOTS_M = 300 / 0.0254


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'calibrate',
        help='find where a camera is, from the arm and a printed tag',
        description='Reads a recording (or a folder of pictures with joints.csv) in which the arm '
        'rested in about 15 poses, and writes where the camera is. A camera on a stand needs the '
        'tag on the hand; one on the hand needs the tag on the table.',
    )
    parser.add_argument('source', type=existing_bag, nargs='?', help='recording, or folder')
    parser.add_argument('--view', help='which camera: left, right, wrist')
    parser.add_argument(
        '--tag', type=above_zero, required=True, metavar='M', help='side of its black square, m'
    )
    parser.add_argument('--number', type=int, default=0, help='of the tag (default %(default)s)')
    parser.add_argument('--family', default='apriltag_36h11', help='default %(default)s')
    parser.add_argument('--print', type=output_file, metavar='PNG', help='write the tag to print')
    parser.add_argument(
        '--mount', choices=('base', 'flange'), help='default: flange for wrist, else base'
    )
    lens = parser.add_mutually_exclusive_group()
    lens.add_argument(
        '--lens', type=existing_file, metavar='YAML', help='as camera_calibration writes it'
    )
    lens.add_argument(
        '--focal', type=above_zero, nargs=2, metavar=('FX', 'FY'),
        help='in widths and heights; no distortion. Default: camera_info of the recording',
    )  # fmt: skip
    parser.add_argument(
        '--out', type=output_file, metavar='FILE', help='cameras.json; other views in it stay'
    )
    parser.add_argument(
        '--trust', type=above_zero, default=0.02, metavar='M', help='trust_m (default %(default)s)'
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the result')
    add_map(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Find and write.

    Raises:
        ConfigError: something is missing, in the call or in the recording.
        CalibrationError: no place follows from the pictures.
    """
    from vidplan_core.data.calibration.hand_eye import calibrate
    from vidplan_core.data.calibration.tag import Tag
    from vidplan_core.errors import ConfigError

    tag = Tag(args.tag, args.number, args.family)
    if args.print is not None:
        _print_tag(tag, args.print)
        return 0
    if args.source is None or not args.view:
        raise ConfigError('name a recording and --view, or --print FILE for a tag to print')
    mount = args.mount or ('flange' if args.view == 'wrist' else 'base')
    looks, lens = _looks(args, tag)
    found = calibrate(looks, tag, lens, on_flange=mount == 'flange')
    _tell(found, mount, lens)
    entry = _entry(found, mount, lens, args.trust)
    _write(args, found, entry)
    return 0


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


def _looks(args: argparse.Namespace, tag: Tag) -> tuple[list[Any], Lens]:
    """Return the looks of a recording or folder, and the lens that they were taken with."""
    from vidplan_core.data.calibration.looks import JOINTS_FILE, LookCollector, read_folder
    from vidplan_core.geometry.robot_files import load_robot

    lens: Lens | None = None
    if (args.source / JOINTS_FILE).is_file():
        collector = LookCollector(tag, load_robot(args.robot, args.joint_prefix))
        for image, q in read_folder(args.source):
            lens = lens or _lens(args, image.shape[1], image.shape[0], None)
            lens.require_size(image.shape[1], image.shape[0])
            collector.add(image, q)
    else:
        frames = _frames(args)
        lens, robot = next(frames)
        collector = LookCollector(tag, robot)
        for image, q in frames:
            collector.follow(image, q)
    passed = ', '.join(f'{count} {reason}' for reason, count in collector.passed.items())
    print(f'{len(collector.looks)} looks at the tag; other pictures: {passed or "none"}')
    return collector.looks, lens or _lens(args, 1, 1, None)


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
        yield _lens(args, width, height, _camera_info(bag, args.view)), one.model()
        layout = CameraLayout((args.view,), height, width)
        for seen in ObservationStream(bag, layout, _PERIOD_S, replace(source, sensors=one)):
            yield seen.image, seen.q


def _camera_info(bag: Any, view: str) -> Any:
    role = f'{view}/camera_info'
    if not bag.count(role):
        return None
    return next((message for _, _, message in bag.messages([role])), None)


def _lens(args: argparse.Namespace, width: int, height: int, info: Any) -> Lens:
    from vidplan_core.data.calibration.lens import Lens, lens_of, load_lens
    from vidplan_core.errors import ConfigError

    if args.focal:
        return Lens.ideal(width, height, args.focal)
    if args.lens is not None:
        lens = load_lens(args.lens)
    elif info is not None:
        lens = lens_of(info.width, info.height, info.k, info.distortion_model, info.d)
    else:
        raise ConfigError(
            'nothing says which lens the camera has: there is no camera_info in the recording; '
            'give --lens YAML (of camera_calibration), or --focal FX FY in widths and heights'
        )
    lens.require_size(width, height)
    return lens


def _tell(found: Calibration, mount: str, lens: Lens) -> None:
    import numpy as np

    x, y, z = found.camera[:3, 3]
    print(f'camera on the {mount} at x {x:.4f}, y {y:.4f}, z {z:.4f} m')
    print(f'corners are {found.rms_px:.2f} px off (rms), {found.worst_px:.2f} at most')
    print(
        f'without any one of {found.looks} looks it is at most {1e3 * found.spread_m:.1f} mm and '
        f'{np.degrees(found.spread_rad):.2f} degrees elsewhere'
    )
    off = np.abs(np.array(lens.centre) - [(lens.width - 1) / 2, (lens.height - 1) / 2]).max()
    if lens.is_distorted or off > 0.02 * lens.width:
        print(
            'the lens is distorted or its axis is not in the middle: name it under lenses in the '
            'camera layout, so that pictures are rectified to what is written here'
        )


def _entry(found: Calibration, mount: str, lens: Lens, trust_m: float) -> dict[str, Any]:
    pose: np.ndarray = found.camera
    return {
        'mount': mount,
        'position': pose[:3, 3].round(6).tolist(),
        'rotation': pose[:3, :3].round(8).tolist(),
        'focal': [round(value, 6) for value in lens.relative_focal],
        'trust_m': trust_m,
    }


def _write(args: argparse.Namespace, found: Calibration, entry: dict[str, Any]) -> None:
    import json

    from vidplan_core.errors import ConfigError
    from vidplan_eval.results import write_json

    if args.out is not None:
        try:
            there = json.loads(args.out.read_text(encoding='utf-8')) if args.out.exists() else {}
            cameras = {**there, args.view: entry}
        except (json.JSONDecodeError, TypeError) as error:
            raise ConfigError(f'{args.out} is no cameras.json: {error}; name another') from error
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(cameras, indent=1) + '\n', encoding='utf-8')
        print(f'wrote {args.view} into {args.out}')
    if args.json is not None:
        values = {
            key: getattr(found, key)
            for key in ('rms_px', 'worst_px', 'spread_m', 'spread_rad', 'looks', 'tag')
        }
        write_json(args.json, {'view': args.view, **entry, **values})
