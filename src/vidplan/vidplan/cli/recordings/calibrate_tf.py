# SPDX-License-Identifier: Apache-2.0
"""`vidplan calibrate --from-tf`: where a camera is, from the transforms in a recording."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vidplan.cli.recordings.calibrated import (
    camera_info,
    entry_of,
    lens_of_call,
    tell_lens,
    tell_place,
    write,
)

if TYPE_CHECKING:
    from vidplan_core.data.calibration.frames import FrameTree
    from vidplan_eval.bags.rosbag import Bag
    from vidplan_eval.bags.sensor_map import SensorMap

_TF_TYPE = 'tf2_msgs/msg/TFMessage'
_INFO_TYPE = 'sensor_msgs/msg/CameraInfo'
_STATIC = 'tf_static'


@dataclass(frozen=True)
class _Sight:
    """What a recording says of a camera: frame ('' for nothing), size, camera_info."""

    frame: str = ''
    size: tuple[int, int] | None = None
    info: Any = None


def calibrate_from_tf(args: argparse.Namespace, mount: str) -> None:
    """Find and write.

    Raises:
        CalibrationError: no place follows from the transforms.
        ConfigError: nothing says which lens or which frame.
        BagError: the recording has no transforms, or not the camera.
    """
    from vidplan_core.data.calibration.arm_frames import mount_frame, refuse_joints
    from vidplan_eval.bags.rosbag import Bag
    from vidplan_eval.bags.sensor_map import read_sensor_map

    sensors = None if args.map is None else read_sensor_map(args.map)
    with Bag(args.source) as bag:
        tree = _read_tree(bag)
        sight = _sight(bag, args, sensors)
    refuse_joints(tree)
    frame = _frame(args, sight)
    parent = args.parent or mount_frame(tree.names, mount, _first_joint(args, sensors))
    pose = tree.between(parent, frame)
    print(f'{frame} in {parent}, of {len(tree.names)} frames in {args.source}')
    _warn(tree, parent, frame, mount)
    lens = lens_of_call(args, sight.size, sight.info)
    tell_place(pose, mount)
    tell_lens(lens)
    write(args, entry_of(pose, mount, lens, args.trust), frame=frame, parent=parent)


def _read_tree(bag: Bag) -> FrameTree:
    from vidplan_core.data.calibration.frames import FrameTree
    from vidplan_eval.bags.storage.stored import BagError

    topics = [name for name, channel in bag.channels.items() if channel.type_name == _TF_TYPE]
    tree = FrameTree()
    for stored in bag.stored(topics):
        fixed = stored.channel.topic.endswith(_STATIC)
        message = bag.decoded(stored)
        for one in () if message is None else message.transforms:
            to, turn = one.transform.translation, one.transform.rotation
            position, quaternion = (to.x, to.y, to.z), (turn.x, turn.y, turn.z, turn.w)
            tree.add(one.header.frame_id, one.child_frame_id, position, quaternion, fixed=fixed)
    if not tree.names:
        raise BagError(
            f'{bag.path} has no transforms; record them (`ros2 bag record /tf_static /tf`), or '
            f'find the camera by --tag; it has {bag.present()}'
        )
    return tree


def _sight(bag: Bag, args: argparse.Namespace, sensors: SensorMap | None) -> _Sight:
    """Return what the recording says of the camera, as far as the call does not."""
    from vidplan_eval.bags.pictures import picture

    if args.frame and (args.lens or args.focal):
        return _Sight()
    topic, info = _topic(bag, args, sensors)
    image = next(bag.peek(topic, 1), None) if bag.counts.get(topic) else None
    said = [message.header.frame_id for message in (info, image) if message is not None]
    size = None
    if image is not None:
        height, width = picture(image, bag.channels[topic].type_name).shape[:2]
        size = width, height
    return _Sight(next((name.lstrip('/') for name in said if name), ''), size, info)


def _topic(bag: Bag, args: argparse.Namespace, sensors: SensorMap | None) -> tuple[str, Any]:
    """Return the topic of the view's pictures and its camera_info: one of them may be missing."""
    from vidplan_eval.bags.guessing import find_cameras
    from vidplan_eval.bags.storage.stored import BagError

    if sensors is not None:
        if args.view not in sensors.cameras:
            raise BagError(f'no camera {args.view!r}; there are {", ".join(sensors.cameras)}')
        topic = sensors.cameras[args.view]
    elif said := _info_topic(bag, args.view):
        return _pictures_beside(bag, said), next(bag.peek(said, 1), None)
    else:
        try:
            topic = find_cameras(bag, (args.view,))[args.view]
        except BagError as error:
            raise BagError(
                f'name --frame, and --lens or --focal, as the recording does not: {error}'
            ) from error
    return topic, camera_info(bag, args.view, topic)


def _info_topic(bag: Bag, view: str) -> str:
    """Return the camera_info of a view: its own, or the only one whose name says it; or ''."""
    from vidplan_core.geometry.camera_files import default_layout
    from vidplan_eval.bags.guessing import is_view

    own = bag.topic(f'{view}/camera_info')
    if bag.counts.get(own):
        return own
    views = {view, *default_layout().views}
    there = (name for name, channel in bag.channels.items() if channel.type_name == _INFO_TYPE)
    topics = [name for name in there if bag.counts[name] and is_view(name, view, views)]
    return topics[0] if len(topics) == 1 else ''


def _pictures_beside(bag: Bag, info_topic: str) -> str:
    """Return a topic of pictures that a camera_info is of; or ''."""
    from vidplan_eval.bags.guessing import IMAGE_TYPES

    folder = info_topic.rpartition('/')[0]
    for topic, channel in sorted(bag.channels.items()):
        beside = topic.removesuffix('/compressed').rpartition('/')[0] == folder
        if beside and channel.type_name in IMAGE_TYPES and bag.counts[topic]:
            return topic
    return ''


def _frame(args: argparse.Namespace, sight: _Sight) -> str:
    from vidplan_core.errors import ConfigError

    frame = str(args.frame or sight.frame)
    if not frame:
        raise ConfigError(f'messages of {args.view} name no frame; name it by --frame')
    return frame


def _first_joint(args: argparse.Namespace, sensors: SensorMap | None) -> str:
    from vidplan_core.geometry.robot_files import load_robot

    if sensors is not None:
        return sensors.joints.names[0]
    return load_robot(args.robot, args.joint_prefix).joint_names[0]


def _warn(tree: FrameTree, parent: str, frame: str, mount: str) -> None:
    """Print what may be wrong with frames that are connected."""
    from vidplan_core.data.calibration.arm_frames import is_hand
    from vidplan_core.data.calibration.frames import is_optical

    if not is_optical(frame):
        right = ' or '.join(tree.optical_near(frame)) or "the driver's *_optical_frame"
        print(
            f'warning: {frame} is not called an optical frame (z forward, x right); if it is '
            f'none, say --frame {right}'
        )
    if mount == 'flange' and is_hand(parent):
        print(
            f'warning: {parent} is called as a hand; the flange is the frame before it (link8), '
            'on which the Franka hand is turned by 45 degrees'
        )
    if loose := tree.unsure(parent, frame):
        print(
            f'warning: {", ".join(loose)} stood still in this recording, but may move: it is in '
            '/tf, not in /tf_static'
        )
