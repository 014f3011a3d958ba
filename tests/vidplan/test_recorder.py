# SPDX-License-Identifier: Apache-2.0
"""The recorder as a process of its own: nothing is lost, however it is told to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from vidplan.recording import RECORDED
from vidplan.rosbag import Bag

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from vidplan.nodes.recorder import message_class  # noqa: E402

pytestmark = pytest.mark.ros
PLANS = 40


def start(bag, *, own_group: bool = True) -> subprocess.Popen:
    words = [sys.executable, '-m', 'vidplan.nodes.recorder', '--ros-args', '-p', f'bag:={bag}']
    return subprocess.Popen(
        words,
        env=os.environ.copy(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=own_group,
    )


@pytest.mark.parametrize('entry', RECORDED, ids=lambda entry: entry.role)
def test_every_recorded_type_has_a_class(entry):
    message_class(entry.type_name)()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_nothing_is_lost_when_told_to_end(ros, tmp_path, number):
    from vidplan_msgs.msg import Plan

    bag = tmp_path / 'bag'
    process = start(bag)
    try:
        publisher = ros.node.create_publisher(Plan, 'plan', 200)
        ros.spin_until(publisher.get_subscription_count, timeout_s=20.0)
        for number_of_plan in range(1, PLANS + 1):
            publisher.publish(Plan(plan_id=number_of_plan))
        process.send_signal(number)
        time.sleep(0.05)
        process.send_signal(number)  # impatient people press twice
        assert process.wait(timeout=15.0) == 0
    finally:
        process.kill()
    with Bag(bag) as recorded:
        plans = [message.plan_id for *_, message in recorded.messages(['plan'])]
    assert plans == list(range(1, PLANS + 1))
    assert f'{PLANS} messages' in process.stdout.read()


def test_an_existing_folder_is_refused_in_one_line(tmp_path):
    process = subprocess.run(
        [sys.executable, '-m', 'vidplan.nodes.recorder', '--ros-args', '-p', f'bag:={tmp_path}'],
        env=os.environ.copy(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert process.returncode == 2
    assert 'exists already' in process.stderr
