# SPDX-License-Identifier: Apache-2.0
"""What is played is ours byte for byte, or another robot's translated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fakes.field_bag import compressed, renamed, rows, serialised, write_mcap
from tests.fakes.synthetic_bag import STORE, picture
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.geometry.robot_files import default_robot
from vidplan_eval.bags.guessing import find_sensors
from vidplan_eval.bags.playing import played
from vidplan_eval.bags.recording import GRIPPER, JOINTS
from vidplan_eval.bags.rosbag import Bag

VIEWS = default_layout().views


def test_a_recording_of_ours_is_passed_on_as_it_is(tmp_path: Path) -> None:
    found = rows(0.4)
    with Bag(write_mcap(tmp_path / 'bag.mcap', found)) as bag:
        sent = list(played(bag, find_sensors(bag, VIEWS), VIEWS, default_robot()))
    assert sorted(data for *_, data in sent) == sorted(serialised(row) for row in found)
    assert [ns for _, ns, _ in sent] == sorted(ns for _, ns, _ in sent)


@pytest.mark.parametrize('one_topic', [False, True])
def test_another_robot_is_translated(tmp_path: Path, one_topic: bool) -> None:
    found = compressed(rows(0.4, robot='fer_hand'), '/compressed')
    if one_topic:
        found = renamed(found, {'/gripper/joint_states': '/joint_states'})
    with Bag(write_mcap(tmp_path / 'bag.mcap', found)) as bag:
        sent = list(played(bag, find_sensors(bag, VIEWS), VIEWS, default_robot()))
        assert not bag.skipped
    by_role = {role: [data for one, _, data in sent if one == role] for role, *_ in sent}
    state = STORE.deserialize_cdr(by_role[JOINTS][3], 'sensor_msgs/msg/JointState')
    hand = STORE.deserialize_cdr(by_role[GRIPPER][3], 'sensor_msgs/msg/JointState')
    image = STORE.deserialize_cdr(by_role['wrist/image_raw'][2], 'sensor_msgs/msg/Image')
    assert tuple(state.name) == default_robot().joint_names
    assert hand.position == pytest.approx([0.03, 0.03])
    time_s = image.header.stamp.sec + image.header.stamp.nanosec * 1e-9
    assert np.array_equal(image.data.reshape(32, 64, 3), picture(time_s))
    assert len(by_role[JOINTS]) == len(by_role[GRIPPER]) == 20
