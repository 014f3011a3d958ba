# SPDX-License-Identifier: Apache-2.0
"""A recording that is killed, or meets a full disk, can be read up to its last half second."""

from __future__ import annotations

import errno
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mcap.records import Message
from mcap.stream_reader import StreamReader
from rosbags.rosbag2 import Reader

from vidplan_eval.bags import writer as writing
from vidplan_eval.bags.bag_types import typestore
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.storage.sealed_file import END, SealedFile
from vidplan_eval.bags.storage.stored import BagError
from vidplan_eval.bags.writer import FLUSH_S, BagTopic, BagWriter

STORE = typestore()
ROLE, KIND = 'gripper/command', 'std_msgs/msg/Float64'
TOPICS = [BagTopic(ROLE, '/arm/gripper/command', KIND)]
RECORD = """
import json, resource, sys, time
from pathlib import Path
from tests.vidplan_eval.bags.test_interrupted_recordings import TOPICS, ROLE, message
from vidplan_eval.bags.storage.stored import BagError
from vidplan_eval.bags.writer import BagWriter
if sys.argv[2] != '0':
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
writer = BagWriter(Path(sys.argv[1]), TOPICS)
try:
    while True:
        now = time.monotonic()
        writer.write(ROLE, round(now * 1e9), message(now))
        time.sleep(0.002)
        print(json.dumps(now), flush=True)
except BagError as error:
    print(json.dumps(str(error)), flush=True)
"""


def message(value: float) -> bytes:
    return bytes(STORE.serialize_cdr(STORE.types[KIND](value), KIND))


def values(path: Path) -> list[float]:
    with Bag(path) as bag:
        assert bag.topic(ROLE) == '/arm/gripper/command'
        return [found.data for *_, found in bag.messages([ROLE])]


def values_by_mcap(path: Path) -> list[float]:
    """What the mcap library finds: the file alone, without ours."""
    with next(path.glob('*.mcap')).open('rb') as file:
        found = [
            record.data for record in StreamReader(file).records if isinstance(record, Message)
        ]
    return [float(np.frombuffer(data, np.float64, offset=4)[0]) for data in found]


def values_by_rosbags(path: Path) -> list[float]:
    """What the rosbags library finds, which goes by metadata.yaml and wants an end of the file."""
    with Reader(path) as reader:
        found = [STORE.deserialize_cdr(data, KIND) for _, _, data in reader.messages()]
    return [message.data for message in found]


def agreed(path: Path) -> list[float]:
    """What three readers that know nothing of each other find alike."""
    found = values(path)
    assert values_by_mcap(path) == values_by_rosbags(path) == found
    return found


def start(path: Path, limit: int = 0) -> subprocess.Popen[str]:
    words = [sys.executable, '-c', RECORD, str(path), str(limit)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_a_killed_recorder_loses_half_a_second_at_most(tmp_path: Path) -> None:
    process = start(tmp_path / 'bag')
    assert process.stdout is not None
    first = last = json.loads(process.stdout.readline())
    lines = 1
    while last - first < 1.5 or lines < 200:
        last = json.loads(process.stdout.readline())
        lines += 1
    process.send_signal(signal.SIGKILL)
    rest = [json.loads(line) for line in process.stdout if line.endswith('\n')]
    process.wait()
    last = max([last, *rest])
    found = agreed(tmp_path / 'bag')
    assert len(found) > 10
    assert last - found[-1] < FLUSH_S + 0.3


def test_an_open_recording_can_be_read_at_any_time(tmp_path: Path) -> None:
    """A copy is what is left of a recorder that is killed at that moment."""
    writer = BagWriter(tmp_path / 'bag', TOPICS)
    for second in range(3):
        writer.write(ROLE, second * 10**9, message(second))
        writer.flush()
        shutil.copytree(tmp_path / 'bag', tmp_path / f'{second}')
        assert agreed(tmp_path / f'{second}') == list(range(second + 1))
        with Bag(tmp_path / f'{second}') as bag:
            assert 'its recorder was killed' in ' '.join(bag.notes)
    writer.close()
    assert agreed(tmp_path / 'bag') == [0.0, 1.0, 2.0]


def test_a_chunk_that_has_become_large_can_be_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, 'FLUSH_S', 60.0)
    writer = BagWriter(tmp_path / 'bag', TOPICS)
    for number in range(60_000):  # a chunk has a megabyte
        writer.write(ROLE, number, message(number))
    shutil.copytree(tmp_path / 'bag', tmp_path / 'copy')
    assert agreed(tmp_path / 'copy') == list(range(len(values(tmp_path / 'copy')))) != []
    writer.close()


@pytest.mark.fault('disk_full')
def test_a_full_disk_ends_a_recording_that_can_be_read(tmp_path: Path) -> None:
    process = start(tmp_path / 'bag', limit=30_000)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    words = json.loads(output.splitlines()[-1])
    assert 'the recording ended after' in words
    assert 'can be read' in words
    assert agreed(tmp_path / 'bag')


@pytest.mark.fault('disk_full')
def test_a_nearly_full_disk_ends_it_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = BagWriter(tmp_path / 'bag', TOPICS)
    writer.write(ROLE, 10**9, message(1.0))
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: SimpleNamespace(free=2**20))
    monkeypatch.setattr(writing, 'FLUSH_S', 0.0)
    with pytest.raises(BagError, match='only 1 MB are left'):
        writer.write(ROLE, 2 * 10**9, message(2.0))
    assert agreed(tmp_path / 'bag') == [1.0, 2.0]
    with Bag(tmp_path / 'bag') as bag:
        assert not bag.notes


@pytest.mark.fault('disk_full')
def test_a_disk_that_is_full_at_once_leaves_what_was_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing more can be written, not even the index; only what has its place already."""
    writer = BagWriter(tmp_path / 'bag', TOPICS)
    writer.write(ROLE, 10**9, message(1.0))
    writer.flush()
    writer.write(ROLE, 2 * 10**9, message(2.0))
    put = SealedFile._put

    def full(file: SealedFile, data: bytes) -> None:
        if len(data) > len(END):
            raise OSError(errno.ENOSPC, 'No space left on device')
        put(file, data)

    monkeypatch.setattr(SealedFile, '_put', full)
    with pytest.raises(BagError, match='No space left on device; what was written before can be'):
        writer.close()
    assert agreed(tmp_path / 'bag') == [1.0]
