# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from builtin_interfaces.msg import Duration, Time
from rclpy.exceptions import ParameterException
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Float64, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vidplan_msgs.msg import Truth
from vidplan_sim.arm.kinematics import ARM_JOINTS
from vidplan_sim.parameters import CellParameters
from vidplan_sim.ros.node import CellNode
from vidplan_sim.ros.room import make_room_for_images

pytestmark = pytest.mark.ros
TOPIC = 'fr3_arm_controller/joint_trajectory'


@pytest.fixture
def cell(ros: Any) -> CellNode:
    overrides = {'seed': 3, 'objects': 4, 'image_height': 48, 'image_width': 80}
    return ros.add(
        CellNode(
            parameter_overrides=[Parameter(name, value=value) for name, value in overrides.items()]
        )
    )


def seconds(stamp: Time) -> float:
    return stamp.sec + stamp.nanosec * 1e-9


def stamps(messages: list[Any]) -> np.ndarray:
    return np.array([seconds(message.header.stamp) for message in messages])


def shortest_s(messages: list[Any]) -> float:
    """Return the shortest time between two messages [s]."""
    return float(np.diff(stamps(messages)).min(initial=np.inf))


def trajectory(q: np.ndarray, after_s: float = 0.3, **changes: Any) -> JointTrajectory:
    nanosec = round(after_s * 1e9)
    point = JointTrajectoryPoint(
        positions=list(q), velocities=[0.0] * 7, time_from_start=Duration(nanosec=nanosec)
    )
    message = JointTrajectory(joint_names=list(ARM_JOINTS), points=[point])
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def test_viewers_that_come_late_hear_how_the_cell_is_built(ros: Any, cell: CellNode) -> None:
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    heard = ros.collect(String, 'robot_description', latched)
    ros.spin_until(lambda: heard)
    assert heard[0].data.startswith('<robot')


def test_publishes_what_the_robot_does(ros: Any, cell: CellNode) -> None:
    clocks = ros.collect(Clock, '/clock')
    joints = ros.collect(JointState, 'joint_states', 50)
    fingers = ros.collect(JointState, 'gripper/joint_states')
    views = {
        view: ros.collect(Image, f'{view}/image_raw', qos_profile_sensor_data)
        for view in ('left', 'right', 'wrist')
    }
    infos = ros.collect(CameraInfo, 'wrist/camera_info', qos_profile_sensor_data)
    truths = ros.collect(Truth, 'cell/truth')
    ros.spin_until(lambda: all(views.values()) and joints and truths)
    started_s, started = time.monotonic(), cell.time_s
    ros.spin_for(1.0)
    # A busy machine drops pictures, so wait until no view lacks two that follow each other.
    ros.spin_until(lambda: all(shortest_s(images) < 1.5 / 15 for images in views.values()))
    assert cell.time_s - started <= time.monotonic() - started_s + 0.11

    assert list(joints[-1].name) == list(ARM_JOINTS)
    assert len(joints[-1].position) == len(joints[-1].velocity) == 7
    np.testing.assert_allclose(np.diff(stamps(joints)).min(), 0.008, atol=1e-6)
    assert seconds(clocks[0].clock) > 0.0
    np.testing.assert_allclose(fingers[-1].position, 0.04, atol=1e-3)
    for view, images in views.items():
        assert (images[-1].encoding, images[-1].height, images[-1].width) == ('rgb8', 48, 80)
        assert images[-1].header.frame_id == f'{view}_optical_frame'
        assert shortest_s(images) == pytest.approx(1 / 15, abs=0.008)
        assert np.frombuffer(images[-1].data, np.uint8).std() > 10.0
    assert infos[-1].k[2] == 40.0
    assert len(truths[-1].names) == len(truths[-1].poses) == 5
    assert 'bowl' in truths[-1].names
    assert truths[-1].seed == 3


def test_obeys_trajectories_and_refuses_wrong_ones(ros: Any, cell: CellNode) -> None:
    joints = ros.collect(JointState, 'joint_states', 50)
    publisher = ros.node.create_publisher(JointTrajectory, TOPIC, 1)
    ros.connect(publisher)
    ros.spin_until(lambda: joints)
    start = np.array(joints[-1].position)
    target = start + [0.1, 0, 0, 0, 0, 0, 0]

    moving = trajectory(target)
    moving.points[0].velocities[0] = 0.2
    wrong = [
        trajectory(target, joint_names=list(ARM_JOINTS[:6])),
        trajectory(target, points=[]),
        moving,
        trajectory([*target[:6], float('nan')]),
    ]
    old = trajectory(target, after_s=1e-4)
    old.header.stamp = Time(nanosec=1)
    for count, message in enumerate([*wrong, old], start=1):
        publisher.publish(message)
        ros.spin_until(lambda count=count: cell.rejected == count)
    np.testing.assert_allclose(joints[-1].position, start, atol=2e-3)

    publisher.publish(trajectory(target))
    ros.spin_until(lambda: abs(joints[-1].position[0] - target[0]) < 5e-3)
    ros.spin_until(lambda: np.abs(joints[-1].velocity).max() < 5e-3)
    assert cell.rejected == 5


def test_gripper_and_reset(ros: Any, cell: CellNode) -> None:
    fingers = ros.collect(JointState, 'gripper/joint_states')
    truths = ros.collect(Truth, 'cell/truth')
    publisher = ros.node.create_publisher(Float64, 'gripper/command', 1)
    ros.connect(publisher)
    publisher.publish(Float64(data=2.0))
    ros.spin_until(lambda: cell.rejected == 1)
    publisher.publish(Float64(data=1.0))
    ros.spin_until(lambda: fingers and fingers[-1].position[0] < 0.01)

    before_s = cell.time_s
    cell.set_parameters([Parameter('seed', value=4)])
    assert ros.call(Trigger, 'cell/reset', Trigger.Request()).success
    ros.spin_until(lambda: truths[-1].seed == 4 and fingers[-1].position[0] > 0.03)
    cell.set_parameters([Parameter('towel', value=True), Parameter('objects', value=6)])
    refused = ros.call(Trigger, 'cell/reset', Trigger.Request())
    assert (refused.success, refused.message) == (False, 'distractors must be 0 to 5, got 6')
    cell.set_parameters([Parameter('objects', value=2)])
    assert ros.call(Trigger, 'cell/reset', Trigger.Request()).success
    ros.spin_until(lambda: 'towel' in truths[-1].names)
    assert len(truths[-1].names) == 4
    assert (np.diff(stamps(truths)) > 0.0).all()
    assert cell.time_s > before_s


@pytest.mark.parametrize(
    ('name', 'value'),
    [('real_time_factor', 2.0), ('objects', 7), ('image_width', 5000), ('seed', 'x')],
)
def test_impossible_parameters_are_named(ros: Any, name: str, value: Any) -> None:
    with pytest.raises(ParameterException, match=name):
        CellNode(parameter_overrides=[Parameter(name, value=value)])


def test_every_parameter_is_described(cell: CellNode) -> None:
    for one in fields(CellParameters):
        described = cell.describe_parameter(one.name)
        assert described.description.startswith(one.metadata['text'])
        assert described.read_only is not one.metadata.get('mutable', False)


def test_images_have_room_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
    for name in names:
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)
    make_room_for_images()
    profile = Path(os.environ[names[0]])
    assert 'segment_size' in profile.read_text()
    monkeypatch.setenv(names[0], 'mine.xml')
    make_room_for_images()
    assert os.environ[names[0]] == 'mine.xml'
