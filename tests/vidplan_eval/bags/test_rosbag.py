# SPDX-License-Identifier: Apache-2.0
"""Bags written and read without ROS, and every way in which a bag can be wrong."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import Reader

from vidplan_core.errors import ConfigError
from vidplan_core.geometry.camera_files import default_layout
from vidplan_eval.bags.bag_types import definition, definitions_directory, typestore
from vidplan_eval.bags.recording import FEEDBACK, PLAN, ROBOT_STATE, recorded
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.storage.stored import BagError
from vidplan_eval.bags.writer import BagTopic, BagWriter

STORE = typestore()
RECORDED = [e for e in recorded(default_layout().views) if e.type_name in STORE.fielddefs]
TOPICS = [BagTopic(entry.role, f'/cell/{entry.role}', entry.type_name) for entry in RECORDED]


def serialised_float(value: float) -> bytes:
    message = STORE.types['std_msgs/msg/Float64'](value)
    return bytes(STORE.serialize_cdr(message, 'std_msgs/msg/Float64'))


def write_bag(path: Path, values: int = 5) -> Path:
    with BagWriter(path, TOPICS, store=STORE, notes={'seed': '7'}) as writer:
        for step in range(values):
            writer.write('gripper/command', (step + 1) * 10**8, serialised_float(0.1 * step))
    return path


def test_what_is_written_is_read_back(tmp_path):
    with Bag(write_bag(tmp_path / 'bag')) as bag:
        assert bag.topic('gripper/command') == '/cell/gripper/command'
        assert bag.count('gripper/command') == 5
        rows = list(bag.messages(['gripper/command', PLAN]))
    assert [stamp_ns for _, stamp_ns, _ in rows] == [k * 10**8 for k in range(1, 6)]
    assert [message.data for *_, message in rows] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_any_reader_of_rosbag2_understands_it(tmp_path):
    with Reader(write_bag(tmp_path / 'bag')) as reader:
        assert reader.message_count == 5
        assert {c.msgtype for c in reader.connections} == {e.type_name for e in RECORDED}


def test_an_empty_recording_is_a_whole_bag(tmp_path):
    with Bag(write_bag(tmp_path / 'bag', values=0)) as bag:
        assert not list(bag.messages([PLAN]))
        with pytest.raises(BagError, match='no messages on /cell/plan'):
            bag.require([PLAN])


def test_missing_topics_are_named_with_those_that_are_there(tmp_path):
    with Bag(write_bag(tmp_path / 'bag')) as bag, pytest.raises(BagError) as caught:
        bag.require(['gripper/command', 'joint_states', 'left/image_raw'])
    assert '/cell/joint_states, /cell/left/image_raw; it has' in str(caught.value)
    assert '/cell/gripper/command (5)' in str(caught.value)


def test_a_bag_without_our_notes_is_read_by_the_usual_names(tmp_path):
    path = write_bag(tmp_path / 'bag')
    metadata = path / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace('vidplan_topics', 'other'))
    with Bag(path) as bag:
        assert bag.topic(PLAN) == '/plan'


def _no_data(path: Path) -> None:
    next(path.glob('*.mcap')).unlink()


def _emptied(path: Path) -> None:
    next(path.glob('*.mcap')).write_bytes(b'')


def _no_mcap(path: Path) -> None:
    next(path.glob('*.mcap')).write_bytes(b'version https://git-lfs.github.com/spec/v1')


@pytest.mark.parametrize(
    ('damage', 'words'),
    [
        (shutil.rmtree, 'does not exist'),
        (_no_data, 'lacks bag.mcap'),
        (_emptied, 'empty'),
        (_no_mcap, 'git lfs pull'),
    ],
    ids=lambda value: getattr(value, '__name__', None),
)
def test_a_bag_without_any_data_is_refused(tmp_path, damage, words):
    path = write_bag(tmp_path / 'bag')
    damage(path)
    with pytest.raises(BagError, match=words):
        Bag(path)


def test_a_file_is_no_bag(tmp_path):
    path = tmp_path / 'bag'
    path.write_text('x')
    with pytest.raises(BagError, match='neither .mcap nor .db3'):
        Bag(path)


def test_nothing_is_overwritten(tmp_path):
    path = write_bag(tmp_path / 'bag')
    with pytest.raises(BagError, match='exists already'):
        BagWriter(path, TOPICS, store=STORE)


def test_a_closed_bag_takes_no_more(tmp_path):
    writer = BagWriter(tmp_path / 'bag', TOPICS, store=STORE)
    writer.close()
    writer.close()
    with pytest.raises(BagError, match='closed'):
        writer.write(PLAN, 1, b'')


def test_feedback_of_an_action_survives(tmp_path):
    kind = 'vidplan_msgs/action/PlanTask_FeedbackMessage'
    feedback = STORE.types['vidplan_msgs/action/PlanTask_Feedback'](
        phase=2,
        cycle=3,
        score=0.5,
        best_candidate=1,
        plan_latency_s=0.2,
        elapsed_s=1.0,
        target='carrot',
        term_names=['relevancy'],
        term_values=np.array([0.7]),
        time_ratio=1.0,
        past_stamps=[],
        committed_stamp=STORE.types['builtin_interfaces/msg/Time'](sec=1, nanosec=2),
    )
    uuid = STORE.types['unique_identifier_msgs/msg/UUID'](np.arange(16, dtype=np.uint8))
    data = bytes(STORE.serialize_cdr(STORE.types[kind](uuid, feedback), kind))
    with BagWriter(tmp_path / 'bag', TOPICS, store=STORE) as writer:
        writer.write(FEEDBACK, 10**9, data)
    with Bag(tmp_path / 'bag') as bag:
        ((_, _, message),) = bag.messages([FEEDBACK])
    assert message.feedback.target == 'carrot'
    assert message.feedback.term_names == ['relevancy']


def test_hashes_are_those_of_the_built_messages():
    described = sorted(definitions_directory().glob('*/*.json'))
    if not described:
        pytest.skip('needs the built workspace')
    for path in described:
        for entry in json.loads(path.read_text())['type_hashes']:
            if entry['type_name'].startswith('vidplan_msgs/') and (
                entry['type_name'] in STORE.fielddefs
            ):
                assert STORE.hash_rihs01(entry['type_name']) == entry['hash_string']


def test_messages_of_a_robots_maker_are_recorded_where_they_are_installed(tmp_path, monkeypatch):
    share = tmp_path / 'share' / 'franka_msgs' / 'msg'
    index = tmp_path / 'share' / 'ament_index' / 'resource_index' / 'packages'
    for folder in (share, index):
        folder.mkdir(parents=True)
    (index / 'franka_msgs').touch()
    (share / 'Errors.msg').write_text('bool joint_reflex\n')
    (share / 'FrankaRobotState.msg').write_text('std_msgs/Header header\nErrors current_errors\n')
    there = os.environ.get('AMENT_PREFIX_PATH', '')
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{tmp_path}{os.pathsep}{there}')
    entry = next(one for one in recorded(('left',)) if one.role == ROBOT_STATE)
    assert 'joint_reflex' in definition(typestore(), entry.type_name).text


def test_an_unknown_type_is_named():
    with pytest.raises(ConfigError, match='other_msgs/msg/Thing'):
        definition(STORE, 'other_msgs/msg/Thing')


def test_a_large_recording_goes_on_in_the_next_file(tmp_path):
    """Read as one by this reader and by another, whole and after a kill in the second file."""
    path = tmp_path / 'bag'
    noise = np.random.default_rng(0)  # which cannot be compressed
    topics = [*TOPICS, BagTopic('names', '/names', 'std_msgs/msg/String')]
    with BagWriter(path, topics, store=STORE, split_bytes=20_000) as writer:
        for number in range(30):
            name = ''.join(chr(code) for code in noise.integers(33, 120, 4000))
            message = STORE.types['std_msgs/msg/String'](name)
            data = STORE.serialize_cdr(message, 'std_msgs/msg/String')
            writer.write('names', 10**9 * (number + 1), bytes(data))
            writer.flush()
            if number == 20:
                shutil.copytree(path, tmp_path / 'killed')
    files = sorted(file.name for file in path.iterdir())
    assert files[:3] == ['bag.mcap', 'bag_1.mcap', 'bag_2.mcap']
    assert files[-1] == 'metadata.yaml'
    assert counted(path) == 30
    assert counted(tmp_path / 'killed') >= 20
    with Reader(path) as reader:
        assert reader.message_count == sum(1 for _ in reader.messages()) == 30
        assert reader.duration == 29 * 10**9 + 1


def counted(path):
    with Bag(path) as bag:
        return sum(1 for _ in bag.messages(['names']))
