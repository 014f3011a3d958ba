# SPDX-License-Identifier: Apache-2.0
"""Topics, joints and grippers of any robot: given by a map, or told by types and names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.field_bag import (
    Row,
    changed,
    compressed,
    renamed,
    rows,
    write_mcap,
)
from tests.fakes.synthetic_bag import STORE
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.geometry.robot_files import DEFAULT_ROBOT
from vidplan_eval.bags.guessing import FoundSensors, find_sensors
from vidplan_eval.bags.observations import (
    BagSource,
    ObservationStream,
    read_observations,
    sees_sensors,
)
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.sensor_map import GripperSource, JointSource, SensorMap, read_sensor_map
from vidplan_eval.bags.storage.stored import BagError

LAYOUT = default_layout().resized(32, 64)
VIEWS = LAYOUT.views
REALSENSE = {f'/{v}/image_raw': f'/cam_{v}/camera/color/image_raw' for v in VIEWS}
DROID = {
    '/left/image_raw': '/zed_exterior_1/zed_node/left/image_rect_color',
    '/right/image_raw': '/zed_exterior_2/zed_node/left/image_rect_color',
    '/wrist/image_raw': '/zed_hand/zed_node/left/image_rect_color',
}
ON_ONE_TOPIC = {'/gripper/joint_states': '/joint_states'}
FRANKA = {'/joint_states': '/franka/joint_states', '/gripper/joint_states': '/hand/joint_states'}


def named(found: list[Row], topic: str, names: Mapping[str, str]) -> list[Row]:
    def rename(message: object) -> None:
        message.name = [names.get(n, n) for n in message.name]  # type: ignore[attr-defined]

    return changed(found, topic, rename)


def robotiq(knuckle: float) -> list[Row]:
    def change(message: object) -> None:
        message.name = ['robotiq_85_left_knuckle_joint']  # type: ignore[attr-defined]
        message.position = np.array([knuckle])  # type: ignore[attr-defined]
        message.velocity = np.zeros(1)  # type: ignore[attr-defined]

    return changed(rows(), '/gripper/joint_states', change)


def found_in(
    tmp_path: Path, found: list[Row], robot: str = DEFAULT_ROBOT, prefix: str = ''
) -> FoundSensors:
    path = write_mcap(tmp_path / 'bag.mcap', found)
    with Bag(path) as bag:
        return find_sensors(bag, VIEWS, robot, prefix)


def test_a_recording_of_ours_needs_no_guess(tmp_path: Path) -> None:
    found = found_in(tmp_path, rows())
    assert not found.guessed
    assert found.sensors.cameras == {view: f'/{view}/image_raw' for view in VIEWS}


@pytest.mark.parametrize('names', [REALSENSE, DROID, FRANKA], ids=['realsense', 'zed', 'franka'])
def test_topics_are_told_by_their_names(tmp_path: Path, names: Mapping[str, str]) -> None:
    found = found_in(tmp_path, renamed(rows(), names))
    assert found.guessed
    expected = {view: names.get(f'/{view}/image_raw', f'/{view}/image_raw') for view in VIEWS}
    assert found.sensors.cameras == expected


def test_depth_and_infrared_are_no_views_and_raw_comes_before_compressed(tmp_path: Path) -> None:
    plain = renamed(rows(), REALSENSE)
    depth = [(t, top.replace('color', 'depth'), k, m) for t, top, k, m in plain if 'cam' in top]
    packed = compressed([row for row in plain if 'cam' in row[1]], '/compressed')
    found = found_in(tmp_path, sorted([*plain, *depth, *packed], key=lambda row: row[0]))
    assert found.sensors.cameras == {v: REALSENSE[f'/{v}/image_raw'] for v in VIEWS}


def test_cameras_whose_names_say_nothing_are_not_assigned(tmp_path: Path) -> None:
    names = {f'/{view}/image_raw': f'/cam_{n}/image' for n, view in enumerate(VIEWS)}
    with pytest.raises(BagError, match=r'/cam_0/image \(30\), /cam_1/image \(30\).*--map'):
        found_in(tmp_path, renamed(rows(), names))


def test_the_last_camera_is_what_is_left(tmp_path: Path) -> None:
    found = found_in(tmp_path, renamed(rows(), {'/wrist/image_raw': '/d405/image'}))
    assert found.sensors.cameras['wrist'] == '/d405/image'


@pytest.mark.parametrize('robot', ['fer_hand', 'fr3_hand'])
def test_arm_and_fingers_of_a_panda_are_found(tmp_path: Path, robot: str) -> None:
    sensors = found_in(tmp_path, rows(robot=robot)).sensors
    start = 'panda' if robot == 'fer_hand' else 'fr3'
    assert sensors.robot == robot
    assert sensors.joints.names == tuple(f'{start}_joint{n}' for n in range(1, 8))
    assert sensors.gripper is not None
    assert sensors.gripper.joints == (f'{start}_finger_joint1', f'{start}_finger_joint2')


def test_a_prefix_as_the_driver_has_it_is_enough(tmp_path: Path) -> None:
    sensors = found_in(tmp_path, rows(robot='fer_hand'), prefix='panda').sensors
    assert sensors.joints.names[0] == 'panda_joint1'


def test_of_two_arms_the_prefix_chooses(tmp_path: Path) -> None:
    first = rows()
    second = named(
        [row for row in rows() if row[1] == '/joint_states'],
        '/joint_states',
        {f'fr3_joint{n}': f'other_joint{n}' for n in range(1, 8)},
    )
    both = sorted(
        [*named(first, '/joint_states', {f'fr3_joint{n}': f'left_joint{n}' for n in range(1, 8)}),
         *second], key=lambda row: row[0],
    )  # fmt: skip
    with pytest.raises(BagError, match='several arms.*--joint-prefix'):
        found_in(tmp_path, both)
    assert found_in(tmp_path, both, prefix='other').sensors.joints.names[0] == 'other_joint1'


def test_a_robotiq_gripper_is_known_by_its_knuckle(tmp_path: Path) -> None:
    path = write_mcap(tmp_path / 'bag.mcap', robotiq(0.4))
    with Bag(path) as bag:
        seen = read_observations(bag, LAYOUT, 0.2)[0]
    assert seen.closedness == pytest.approx(0.4 / 0.7929)


def test_arm_and_hand_may_share_a_topic(tmp_path: Path) -> None:
    path = write_mcap(tmp_path / 'bag.mcap', renamed(rows(), ON_ONE_TOPIC))
    with Bag(path) as bag:
        found = read_observations(bag, LAYOUT, 0.2)
        assert not bag.skipped
    assert len(found) == 10
    assert found[0].closedness == pytest.approx(0.25)


def test_without_a_hand_the_gripper_counts_as_open(tmp_path: Path) -> None:
    bare = [row for row in rows() if row[1] != '/gripper/joint_states']
    path = write_mcap(tmp_path / 'bag.mcap', bare)
    with Bag(path) as bag:
        stream = ObservationStream(bag, LAYOUT, 0.2)
        assert {seen.closedness for seen in stream} == {0.0}
    assert any('no gripper' in note for note in stream.notes)
    assert stream.guessed is not None
    assert 'gripper: none' in stream.guessed.text()


def test_what_is_printed_is_what_is_read(tmp_path: Path) -> None:
    sensors = found_in(tmp_path, renamed(rows(robot='fer_hand'), REALSENSE)).sensors
    (tmp_path / 'robot.yaml').write_text(sensors.text())
    assert read_sensor_map(tmp_path / 'robot.yaml') == sensors


def test_a_map_says_what_no_name_tells(tmp_path: Path) -> None:
    plain = [row for row in rows() if row[1] != '/gripper/joint_states']
    kind = 'std_msgs/msg/Float64'
    hand = [(row[0], '/width', kind, STORE.types[kind](30.0)) for row in plain
            if row[1] == '/joint_states']  # fmt: skip
    degrees = changed(
        plain, '/joint_states', lambda m: setattr(m, 'position', 57.29577951308232 * m.position)
    )
    path = write_mcap(tmp_path / 'bag.mcap', sorted([*degrees, *hand], key=lambda row: row[0]))
    text = """
cameras: {left: /left/image_raw, right: /right/image_raw, wrist: /wrist/image_raw}
joints:
  topic: /joint_states
  names: [fr3_joint1, fr3_joint2, fr3_joint3, fr3_joint4, fr3_joint5, fr3_joint6, fr3_joint7]
  unit: deg
gripper: {topic: /width, joints: [], open: 80.0, closed: 0.0}
"""
    (tmp_path / 'map.yaml').write_text(text)
    with Bag(path) as bag:
        sensors = read_sensor_map(tmp_path / 'map.yaml')
        seen = read_observations(bag, LAYOUT, 0.2, BagSource(sensors))[0]
    assert seen.closedness == pytest.approx(1 - 30 / 80)
    assert seen.q[3] == pytest.approx(-2.3)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('cameras: {left: /l}\njoints: {topic: /j, names: [a], unit: g}\n', "unit must be 'rad'"),
        ('cameras: {left: /l}\njoints: {topic: /j, nams: [a]}\n', 'did you mean names'),
        ('cameras: {left: 3}\njoints: {topic: /j, names: [a]}\n', 'left must be a text'),
        (
            'cameras: {left: /l}\njoints: {topic: /j, names: [a]}\n'
            'gripper: {topic: /g, joints: [b], open: 1, closed: 1}\n',
            'must differ',
        ),
    ],
)  # fmt: skip
def test_a_wrong_map_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / 'map.yaml').write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_sensor_map(tmp_path / 'map.yaml')


def test_a_map_for_other_views_or_joints_is_refused(tmp_path: Path) -> None:
    path = write_mcap(tmp_path / 'bag.mcap', rows())
    with Bag(path) as bag:
        sensors = find_sensors(bag, VIEWS).sensors
        other = SensorMap({'left': '/left/image_raw'}, sensors.joints, None)
        with pytest.raises(BagError, match='the world model sees left, right, wrist'):
            read_observations(bag, LAYOUT, 0.2, BagSource(other))
    with pytest.raises(ConfigError, match='must differ'):
        GripperSource('/g', ('a',), 0.1, 0.1)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'cameras': ('/lft/image_raw', '/right/image_raw')}, 'did you mean /left/image_raw'),
        ({'cameras': ('/joint_states', '/right/image_raw')}, 'camera left .*Image .*is wanted'),
        ({'cameras': ('/right/image_raw', '/right/image_raw')}, 'one topic to two cameras'),
        ({'joints': '/arm'}, 'no messages on /arm, by the map that of the arm'),
        ({'joints': '/wrist/image_raw'}, 'is sensor_msgs/msg/Image; of the arm .*JointState'),
        ({'gripper': '/joint_states'}, 'of the gripper std_msgs/msg/Float64 or'),
    ],
)
def test_a_map_that_does_not_fit_the_bag_is_refused_at_once(
    tmp_path: Path, change: Mapping[str, Any], words: str
) -> None:
    left, right = change.get('cameras', ('/left/image_raw', '/right/image_raw'))
    joints = tuple(f'fr3_joint{n}' for n in range(1, 8))
    sensors = SensorMap(
        {'left': left, 'right': right, 'wrist': '/wrist/image_raw'},
        JointSource(change.get('joints', '/joint_states'), joints),
        GripperSource(change['gripper'], (), 0.0, 1.0) if 'gripper' in change else None,
    )
    path = write_mcap(tmp_path / 'bag.mcap', rows(0.2))
    with Bag(path) as bag, pytest.raises(BagError, match=words):
        sees_sensors(bag, VIEWS, BagSource(sensors))


def test_joint_states_of_no_arm_are_told(tmp_path: Path) -> None:
    wheels = named(rows(), '/joint_states', {f'fr3_joint{n}': f'wheel{n}' for n in range(1, 8)})
    with pytest.raises(BagError, match='no other seven joints of an arm.*wheel1'):
        found_in(tmp_path, wheels)
