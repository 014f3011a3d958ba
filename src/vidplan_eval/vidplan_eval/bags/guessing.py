# SPDX-License-Identifier: Apache-2.0
"""Find out which topic of a foreign recording is what, by types and names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import yaml

from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import DEFAULT_ROBOT, load_robot
from vidplan_core.strict_yaml import Section
from vidplan_eval.bags.recording import GRIPPER, JOINTS, cameras
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.sensor_map import (
    MAP_KEY,
    GripperSource,
    JointSource,
    SensorMap,
    parse_sensor_map,
)
from vidplan_eval.bags.storage.stored import BagError

IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
JOINT_TYPE = 'sensor_msgs/msg/JointState'
NUMBER_TYPES = ('std_msgs/msg/Float64', 'std_msgs/msg/Float32')
# Types of others that hold pictures too.
_LIKE_PICTURES = re.compile(r'Image$|Video$|Packet$')
# Pictures that are no colour pictures, and joint states that nobody measured.
_NO_COLOUR = re.compile(r'depth|infra|disparity|confidence|mask|heatmap|/debug', re.IGNORECASE)
_NOT_MEASURED = re.compile(r'desired|command|target|goal|gello|leader', re.IGNORECASE)
# What views of a layout are called elsewhere.
_SYNONYMS = {
    'wrist': ('wrist', 'hand', 'gripper', 'eye_in_hand', 'eih', 'tool', 'ee_', 'arm_cam'),
    'left': ('left', 'exterior_1', 'exterior1', 'ext1', 'side_1', 'varied_1'),
    'right': ('right', 'exterior_2', 'exterior2', 'ext2', 'side_2', 'varied_2'),
}
_ARM_JOINT = re.compile(r'(?P<arm>.*?)(?:joint|j)_?(?P<number>[1-7])')
#: Joints of known grippers, with their positions when open and closed, m or rad.
GRIPPERS = (
    (re.compile(r'.*(?<!right_)finger_joint[12]'), 0.04, 0.0),  # Franka hand, each finger
    (re.compile(r'.*robotiq.*left_knuckle_joint|.*85_left_knuckle_joint'), 0.0, 0.7929),
    (re.compile(r'finger_joint'), 0.0, 0.7929),  # Robotiq as its ROS 1 driver names it
)
# So many messages of a topic are looked at to learn its joint names.
_LOOKED_AT = 2000


@dataclass(frozen=True)
class FoundSensors:
    """A map, and whether any of it is a guess that the user should see."""

    sensors: SensorMap
    guessed: bool


def find_sensors(
    bag: Bag, views: Sequence[str], robot: str = DEFAULT_ROBOT, prefix: str = ''
) -> FoundSensors:
    """Return where cameras, arm and gripper are; a recording of ours says it itself.

    Args:
        bag: open for reading.
        views: that are needed.
        robot: file of config/robots whose joints are looked for first.
        prefix: of the arm's joints; tells several arms apart.

    Raises:
        BagError: a camera or the arm cannot be identified; what is there is named.
    """
    if MAP_KEY in bag.custom:
        text = yaml.safe_load(bag.custom[MAP_KEY])
        return FoundSensors(parse_sensor_map(Section(text, f'the map in {bag.path}')), False)
    model = load_robot(robot, prefix)
    names = joint_names(bag)
    images = find_cameras(bag, views)
    joints = _joints(bag, names, model, prefix)
    gripper = _gripper(bag, names, model, joints)
    own = all(topic == bag.topic(role) for topic, role in zip(images.values(), cameras(views)))
    guessed = not (own and joints.names == model.joint_names and gripper == _own(bag, model))
    if guessed and robot == DEFAULT_ROBOT:
        robot = _robot(joints, gripper)
    return FoundSensors(SensorMap(images, joints, gripper, robot), guessed)


def require_map(bag: Bag, sensors: SensorMap) -> None:
    """Raise BagError where a map names topics that a bag does not have, or of other types."""
    topics = list(sensors.cameras.values())
    if len(set(topics)) < len(topics):
        raise BagError(f'the map gives one topic to two cameras: {", ".join(topics)}')
    needs: list[tuple[str, str, tuple[str, ...]]] = [
        (topic, f'camera {view}', IMAGE_TYPES) for view, topic in sensors.cameras.items()
    ]
    needs.append((sensors.joints.topic, 'arm', (JOINT_TYPE,)))
    if (hand := sensors.gripper) is not None:
        needs.append((hand.topic, 'gripper', (JOINT_TYPE,) if hand.joints else NUMBER_TYPES))
    for topic, what, types in needs:
        if not bag.counts.get(topic):
            near = get_close_matches(topic, bag.counts, 1)
            meant = f'did you mean {near[0]}? it' if near else 'it'
            raise BagError(
                f'{bag.path} has no messages on {topic}, by the map that of the {what}; {meant} '
                f'has {bag.present()}'
            )
        if bag.channels[topic].type_name not in types:
            raise BagError(
                f'{topic} of {bag.path} is {bag.channels[topic].type_name}; of the {what} '
                f'{" or ".join(types)} is wanted'
            )


def _robot(joints: JointSource, gripper: GripperSource | None) -> str:
    if 'panda' in joints.names[0] or 'fer_' in joints.names[0]:
        return 'fer_hand'
    turns = gripper is not None and gripper.open_position < gripper.closed_position
    return 'fr3_robotiq' if turns else DEFAULT_ROBOT


def joint_names(bag: Bag) -> dict[str, frozenset[str]]:
    """Return the joints that are named on each topic of joint states, not yet any value."""
    found: dict[str, frozenset[str]] = {}
    for topic, channel in bag.channels.items():
        if channel.type_name == JOINT_TYPE and bag.counts[topic]:
            names: set[str] = set()
            for message in bag.peek(topic, _LOOKED_AT):
                names |= set(message.name)
            found[topic] = frozenset(names)
    return found


def find_cameras(bag: Bag, views: Sequence[str]) -> dict[str, str]:
    """Return the topics of pictures by view; raises BagError where one cannot be told."""
    found: dict[str, str] = {}
    for view, role in zip(views, cameras(views), strict=True):
        for topic in (bag.topic(role), bag.topic(role) + '/compressed'):
            if view not in found and bag.counts.get(topic) and _is_picture(bag, topic):
                found[view] = topic
    free = [topic for topic in _pictures(bag) if topic not in found.values()]
    for view in views:
        fitting = [topic for topic in free if is_view(topic, view, views)]
        if view not in found and len(fitting) == 1:
            found[view] = fitting[0]
            free.remove(fitting[0])
    left = [view for view in views if view not in found]
    others = {bag.topic(role) for role in cameras(_SYNONYMS.keys() - set(views))}
    if len(left) == 1 and len(free) == 1 and free[0].removesuffix('/compressed') not in others:
        found[left[0]] = free[0]
        left = []
    if left:
        raise BagError(_unknown_cameras(bag, left, free))
    return {view: found[view] for view in views}


def _is_picture(bag: Bag, topic: str) -> bool:
    return bag.channels[topic].type_name in IMAGE_TYPES


def _pictures(bag: Bag) -> list[str]:
    """Topics of colour pictures; of a camera that has both, the raw one."""
    topics = [
        topic
        for topic, count in sorted(bag.counts.items())
        if count and _is_picture(bag, topic) and not _NO_COLOUR.search(topic)
    ]
    raw = {topic for topic in topics if bag.channels[topic].type_name == IMAGE_TYPES[0]}
    return [t for t in topics if t in raw or t.removesuffix('/compressed') not in raw]


def is_view(topic: str, view: str, views: Collection[str]) -> bool:
    """Whether a topic's name says this view, and none of the others."""
    name = topic.lower()

    def says(one: str) -> bool:
        return any(word in name for word in _SYNONYMS.get(one, (one.lower(),)))

    # One camera of a stereo pair has "left" in its own name: what stands first counts.
    firsts = {one: _first(name, one) for one in views if says(one)}
    return view in firsts and firsts[view] == min(firsts.values())


def _first(name: str, view: str) -> int:
    places = [name.find(word) for word in _SYNONYMS.get(view, (view.lower(),))]
    return min(place for place in places if place >= 0)


def _unknown_cameras(bag: Bag, left: Sequence[str], free: Sequence[str]) -> str:
    there = ', '.join(f'{topic} ({bag.counts[topic]})' for topic in free) or 'none'
    foreign = [
        f'{topic} ({channel.type_name})'
        for topic, channel in sorted(bag.channels.items())
        if _LIKE_PICTURES.search(channel.type_name) and not _is_picture(bag, topic)
    ]
    unread = f' Not read, as of other types than Image: {", ".join(foreign)}.' if foreign else ''
    return (
        f'{bag.path} has no messages on {", ".join(bag.topic(r) for r in cameras(left))}, and no '
        f'topic whose name says clearly that it is the camera {" or ".join(left)}; free topics '
        f'with colour pictures: {there}.{unread} Say which is which in a file for --map; it has '
        f'{bag.present()}'
    )


def _joints(
    bag: Bag, names: dict[str, frozenset[str]], model: RobotModel, prefix: str
) -> JointSource:
    own = bag.topic(JOINTS)
    expected = model.joint_names
    if set(expected) <= names.get(own, frozenset()):
        return JointSource(own, expected)
    arms = sorted(_arms(names, prefix), key=lambda arm: -bag.counts[arm.topic])
    # The same arm on several topics: the fastest says most.
    different = {arm.names: arm for arm in reversed(arms)}
    if len(different) > 1:
        raise BagError(
            f'{bag.path} has several arms: {", ".join(n[0] for n in sorted(different))}; choose '
            'one by --joint-prefix, or in a file for --map'
        )
    if not different:
        there = '; '.join(f'{t}: {", ".join(sorted(n))}' for t, n in sorted(names.items()))
        raise BagError(
            f'{bag.path} has no messages on {own} that name {expected[0]} to {expected[-1]}, and '
            f'no other seven joints of an arm; joint states: {there or "none"}; it has '
            f'{bag.present()}'
        )
    return next(iter(different.values()))


def _arms(names: dict[str, frozenset[str]], prefix: str) -> Iterator[JointSource]:
    for topic, there in names.items():
        arms: dict[str, dict[int, str]] = {}
        for name in there:
            match = _ARM_JOINT.fullmatch(name)
            if match and match['arm'].startswith(prefix) and 'finger' not in match['arm']:
                arms.setdefault(match['arm'], {})[int(match['number'])] = name
        for joints in arms.values():
            if len(joints) == 7 and not _NOT_MEASURED.search(topic):
                yield JointSource(topic, tuple(joints[number] for number in range(1, 8)))


def _own(bag: Bag, model: RobotModel) -> GripperSource:
    hand = model.gripper
    return GripperSource(bag.topic(GRIPPER), hand.joints, hand.open_position, hand.closed_position)


def _gripper(
    bag: Bag, names: dict[str, frozenset[str]], model: RobotModel, joints: JointSource
) -> GripperSource | None:
    own = _own(bag, model)
    for topic in (own.topic, *sorted(names, key=lambda t: -bag.counts[t])):
        if set(own.joints) <= names.get(topic, frozenset()):
            return GripperSource(topic, own.joints, own.open_position, own.closed_position)
    arm = _ARM_JOINT.fullmatch(joints.names[0])
    called = arm['arm'] if arm else ''
    found = [hand for topic in names for hand in _hands(topic, names[topic])]
    found = [hand for hand in found if not _NOT_MEASURED.search(hand.topic)]
    mine = [hand for hand in found if hand.joints[0].startswith(called)] or found
    return max(mine, key=lambda hand: bag.counts[hand.topic], default=None)


def _hands(topic: str, there: frozenset[str]) -> Iterator[GripperSource]:
    for pattern, opened, closed in GRIPPERS:
        by_hand: dict[str, list[str]] = {}
        for name in sorted(there):
            if pattern.fullmatch(name):
                by_hand.setdefault(name.rstrip('12'), []).append(name)
        for joints in by_hand.values():
            yield GripperSource(topic, tuple(joints), opened, closed)
