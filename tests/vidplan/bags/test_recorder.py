# SPDX-License-Identifier: Apache-2.0
"""The recorder as a process of its own: nothing is lost, however it is told to end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from vidplan_core.geometry.camera_files import default_layout
from vidplan_eval.bags import recording
from vidplan_eval.bags import writer as writing
from vidplan_eval.bags.bag_types import typestore
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.writer import BagTopic, BagWriter

rclpy = pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from vidplan.bags import recorder  # noqa: E402
from vidplan.bags.recorder import message_class  # noqa: E402
from vidplan.bags.settings_feed import SettingsFeed  # noqa: E402
from vidplan_core.models.manifest import seal  # noqa: E402

pytestmark = pytest.mark.ros
PLANS = 40


def start(bag, *, own_group: bool = True) -> subprocess.Popen:
    words = [sys.executable, '-m', 'vidplan.bags.recorder', '--ros-args', '-p', f'bag:={bag}']
    return subprocess.Popen(
        words,
        env=os.environ.copy(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=own_group,
    )


RECORDED = recording.recorded(default_layout().views)


@pytest.mark.parametrize('entry', RECORDED, ids=lambda entry: entry.role)
def test_every_recorded_type_has_a_class(entry):
    pytest.importorskip(entry.type_name.partition('/')[0])
    message_class(entry.type_name)()


@pytest.mark.fault('disk_full')
def test_a_full_disk_is_named(tmp_path, monkeypatch, capfd):
    kind = 'std_msgs/msg/Float64'
    data = typestore().serialize_cdr(typestore().types[kind](1.0), kind)
    writer = BagWriter(tmp_path / 'bag', [BagTopic('plan', '/plan', kind)])
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: SimpleNamespace(free=2**20))
    monkeypatch.setattr(writing, 'FLUSH_S', 0.0)
    full = SimpleNamespace(writer=writer, close=writer.close, destroy_node=lambda: None)
    monkeypatch.setattr(recorder, '_spin', lambda *_: writer.write('plan', 1, data))
    for call in ('init', 'try_shutdown'):
        monkeypatch.setattr(recorder.rclpy, call, lambda **_: None)
    monkeypatch.setattr(recorder.signal, 'signal', lambda *_: None)
    assert recorder.record(lambda: full) == recorder.EXIT_FAILED
    assert 'RECORDING_FAILED: ' in capfd.readouterr().err


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_nothing_is_lost_when_told_to_end(ros, tmp_path, number):
    from vidplan_msgs.msg import Plan

    bag = tmp_path / 'bag'
    process = start(bag)
    try:
        publisher = ros.node.create_publisher(Plan, 'plan', 200)
        ros.spin_until(publisher.get_subscription_count, timeout_s=60.0)
        for number_of_plan in range(1, PLANS + 1):
            publisher.publish(Plan(plan_id=number_of_plan))
        process.send_signal(number)
        time.sleep(0.05)
        process.send_signal(number)  # impatient people press twice
        assert process.wait(timeout=30.0) == 0
    finally:
        process.kill()
    with Bag(bag) as recorded:
        plans = [message.plan_id for *_, message in recorded.messages(['plan'])]
    assert plans == list(range(1, PLANS + 1))
    # Whoever else talks in this domain is recorded too.
    assert int(process.stdout.read().split(' messages')[0].split()[-1]) >= PLANS


def test_what_a_graph_is_set_to_is_recorded(ros, tmp_path):
    models = tmp_path / 'models'
    models.mkdir()
    (models / 'config.json').write_text('{}')
    _, sealed = seal(models)
    planner = ros.add(rclpy.create_node('planner'))
    planner.declare_parameter('models', str(models))
    planner.declare_parameter('weights', [0.5, 1.0])
    heard = []
    feed = SettingsFeed(ros.node, heard.append, ('planner', 'adapter'))
    ros.spin_until(lambda: heard)
    settings = json.loads(heard[0])
    assert (settings['node'], settings['sha256']) == ('planner', sealed)
    assert settings['parameters']['weights'] == [0.5, 1.0]
    assert 'torch' in settings['versions']
    assert list(feed._clients) == ['adapter']  # is asked when it comes


def test_compressed_pictures_are_recorded_as_they_come(ros, tmp_path):
    from sensor_msgs.msg import CompressedImage

    words = ['-p', f'bag:={tmp_path / "bag"}', '-r', 'left/image_raw:=camera/compressed']
    node = ros.add(recorder.Recorder(cli_args=['--ros-args', *words]))
    camera = ros.node.create_publisher(CompressedImage, 'camera/compressed', 10)

    def came() -> int:
        camera.publish(CompressedImage(format='jpeg', data=b'picture'))
        return node.counts['left/image_raw']

    ros.spin_until(came)
    node.close()
    with Bag(tmp_path / 'bag') as found:
        *_, message = next(found.messages(['left/image_raw']))
    assert (message.format, bytes(message.data)) == ('jpeg', b'picture')


PUBLISHER = """
import time
import rclpy
from rclpy.duration import Duration
from vidplan_msgs.msg import Plan

rclpy.init()
node = rclpy.create_node('doomed')
publisher = node.create_publisher(Plan, 'plan', 200)
while publisher.get_subscription_count() < 2:
    time.sleep(0.02)
for number in range(1, 21):
    publisher.publish(Plan(plan_id=number))
assert publisher.wait_for_all_acked(Duration(seconds=60))
for number in range(21, 100000):
    publisher.publish(Plan(plan_id=number))
    time.sleep(0.01)
"""


def test_what_a_killed_node_said_is_kept(ros, tmp_path):
    from vidplan_msgs.msg import Plan

    bag = tmp_path / 'bag'
    heard = ros.collect(Plan, 'plan', 200)
    recorder = start(bag)
    doomed = subprocess.Popen([sys.executable, '-c', PUBLISHER], env=os.environ.copy())
    try:
        ros.spin_until(lambda: len(heard) > 20, timeout_s=60.0)
        doomed.kill()
        ros.spin_for(0.3)
        recorder.send_signal(signal.SIGTERM)
        assert recorder.wait(timeout=30.0) == 0
    finally:
        doomed.kill()
        recorder.kill()
    with Bag(bag) as recorded:
        plans = [message.plan_id for *_, message in recorded.messages(['plan'])]
    # What had reached both is there. A dead publisher repeats nothing: of its last words, each
    # of the two may have missed another one.
    assert plans[:20] == list(range(1, 21))


def test_an_existing_folder_is_refused_in_one_line(tmp_path):
    process = subprocess.run(
        [sys.executable, '-m', 'vidplan.bags.recorder', '--ros-args', '-p', f'bag:={tmp_path}'],
        env=os.environ.copy(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 2
    assert 'exists already' in process.stderr
