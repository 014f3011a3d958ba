# SPDX-License-Identifier: Apache-2.0
"""The player sends what the sensors sent, with the bag's clock, and nothing to the robot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.synthetic_bag import CAMERAS, START_S, write_bag
from vidplan_core.geometry.camera_files import default_layout
from vidplan_eval.bags.recording import GRIPPER, JOINTS, sensors

pytest.importorskip('rclpy', reason='needs ROS 2')

pytestmark = pytest.mark.ros


def start(bag: Path, *words: str) -> subprocess.Popen:
    command = [sys.executable, '-m', 'vidplan.bags.player', '--ros-args', '-p', f'bag:={bag}']
    return subprocess.Popen([*command, *words], env=os.environ.copy())


def test_sensors_and_clock_are_played_once_models_are_ready(ros, tmp_path):
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
    from rosgraph_msgs.msg import Clock
    from sensor_msgs.msg import Image, JointState

    assert set(sensors(default_layout().views)) == {*CAMERAS, JOINTS, GRIPPER}
    bag = write_bag(tmp_path / 'bag', 0.6)
    images = {role: ros.collect(Image, role, 100) for role in CAMERAS}
    joints = ros.collect(JointState, JOINTS, 100)
    clock = ros.collect(Clock, '/clock', 100)
    ready = ros.node.create_publisher(DiagnosticArray, '/diagnostics', 10)
    process = start(bag)
    try:
        ros.spin_until(
            lambda: (
                ready.get_subscription_count()
                and all(ros.node.count_publishers(role) for role in (*CAMERAS, JOINTS))
            ),
            timeout_s=60.0,
        )
        ros.spin_for(1.0)
        assert not joints
        status = DiagnosticStatus(name='world_model: models', level=DiagnosticStatus.OK)
        ready.publish(DiagnosticArray(status=[status]))
        ros.spin_until(lambda: process.poll() is not None, timeout_s=60.0)
        ros.spin_for(0.5)
    finally:
        process.kill()
    assert process.returncode == 0
    assert all(len(received) == 9 for received in images.values())
    assert len(joints) == 30
    stamps = [message.clock.sec + message.clock.nanosec * 1e-9 for message in clock]
    assert stamps == sorted(stamps)
    assert stamps[0] == pytest.approx(START_S, abs=0.1)
    first = images[CAMERAS[0]][0].header.stamp
    assert first.sec + first.nanosec * 1e-9 == pytest.approx(START_S)


@pytest.mark.parametrize(
    ('bag', 'words'), [('', 'parameter bag is empty'), ('/nowhere', 'does not exist')]
)
def test_a_wrong_bag_ends_in_one_line(bag, words):
    command = [sys.executable, '-m', 'vidplan.bags.player', '--ros-args', '-p', f"bag:='{bag}'"]
    ended = subprocess.run(
        command, env=os.environ.copy(), capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 2
    assert words in ended.stderr
