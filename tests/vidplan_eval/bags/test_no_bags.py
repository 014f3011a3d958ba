# SPDX-License-Identifier: Apache-2.0
"""What is no recording, or not one that can be read, is named for what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.field_bag import JOINT_TYPE, rows, write_mcap
from vidplan_eval.bags.observations import sees_sensors
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.storage.stored import BagError

VIEWS = ('left', 'right', 'wrist')
POINTER = b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n'


@pytest.mark.parametrize(
    ('name', 'content', 'told'),
    [
        ('bag.mcap', POINTER, 'git lfs pull'),
        ('bag.db3', POINTER, 'git lfs pull'),
        ('bag.mcap.zstd', POINTER, 'git lfs pull'),
        ('bag.mcap', b'<!DOCTYPE html><html>', 'web page'),
        ('bag.mcap', b'', 'is empty'),
        ('bag.mcap', b'hello', 'not an mcap file'),
        ('old.bag', b'#ROSBAG V2.0\n', 'a bag of ROS 1: convert it, `rosbags-convert --src'),
        ('bag.txt', b'hello', 'neither .mcap nor .db3'),
    ],
)
@pytest.mark.parametrize('folder', [False, True], ids=['file', 'folder'])
def test_the_wrong_file_is_named(
    name: str, content: bytes, told: str, folder: bool, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    told = 'no .mcap or .db3' if folder and name == 'bag.txt' else told
    with pytest.raises(BagError, match=told):
        Bag(tmp_path if folder else tmp_path / name)


def test_a_folder_of_recordings_asks_for_one(tmp_path: Path) -> None:
    for name in ('monday', 'tuesday'):
        write_mcap(tmp_path / name / 'bag_0.mcap', rows(0.2))
    with pytest.raises(BagError, match='several recordings: monday, tuesday; name one'):
        Bag(tmp_path)


def test_pictures_of_foreign_types_are_told(tmp_path: Path) -> None:
    arm = [row for row in rows(0.2) if row[2] == JOINT_TYPE]
    foreign = [
        ('/cam', 'foxglove.CompressedImage', 'protobuf', b'\n'),
        ('/film', 'foxglove_msgs/msg/CompressedVideo', 'ros2msg', b'uint8[] data'),
    ]
    path = write_mcap(tmp_path / 'bag.mcap', arm, foreign=foreign)
    told = r'/cam \(foxglove.CompressedImage\), /film \(foxglove_msgs/msg/CompressedVideo\)'
    with Bag(path) as bag, pytest.raises(BagError, match='Not read.*' + told):
        sees_sensors(bag, VIEWS)
