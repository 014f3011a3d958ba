# SPDX-License-Identifier: Apache-2.0
"""Bags as they come from the field: other storages, names, encodings, and what breaks them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
import zstandard
from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter

from tests.fakes.synthetic_bag import CAMERAS, START_S, STORE, messages, picture
from vidplan_core.geometry.robot_files import default_robot, load_robot
from vidplan_eval.bags.recording import GRIPPER, JOINTS

JOINT_TYPE = 'sensor_msgs/msg/JointState'
IMAGE_TYPE = 'sensor_msgs/msg/Image'
COMPRESSED_TYPE = 'sensor_msgs/msg/CompressedImage'
# (seconds, topic, type, message); a message of bytes is written as it is.
Row = tuple[float, str, str, Any]


def rows(duration_s: float = 2.0, robot: str = 'fr3_hand') -> list[Row]:
    """Cameras, arm and gripper of a short recording, by our own names."""
    kinds = {role: IMAGE_TYPE for role in CAMERAS} | {JOINTS: JOINT_TYPE, GRIPPER: JOINT_TYPE}
    model = default_robot() if robot == 'fr3_hand' else load_robot(robot)
    made = messages(duration_s, robot=model, encoding='rgb8')
    return [(t, f'/{role}', kinds[role], m) for t, role, m in made if role in kinds]


def renamed(found: Iterable[Row], names: Mapping[str, str]) -> list[Row]:
    """The same messages on other topics."""
    return [(t, names.get(topic, topic), kind, m) for t, topic, kind, m in found]


def changed(found: Iterable[Row], topic: str, change: Callable[[Any], Any]) -> list[Row]:
    """The same messages, those of a topic changed in place."""
    kept = list(found)
    for row in kept:
        if row[1] == topic:
            change(row[3])
    return kept


def compressed(found: Iterable[Row], suffix: str = '', extension: str = '.png') -> list[Row]:
    """The same pictures as sensor_msgs/CompressedImage."""
    result: list[Row] = []
    for time_s, topic, kind, message in found:
        if kind == IMAGE_TYPE:
            data = cv2.imencode(extension, picture(time_of(message))[:, :, ::-1])[1].reshape(-1)
            message = STORE.types[COMPRESSED_TYPE](
                header=message.header, format=f'rgb8; {extension[1:]} compressed bgr8', data=data
            )
            topic, kind = topic + suffix, COMPRESSED_TYPE
        result.append((time_s, topic, kind, message))
    return result


def time_of(message: Any) -> float:
    """Stamp of a message, s."""
    return float(message.header.stamp.sec + message.header.stamp.nanosec * 1e-9)


def serialised(row: Row) -> bytes:
    """A row's message as CDR."""
    return row[3] if isinstance(row[3], bytes) else bytes(STORE.serialize_cdr(row[3], row[2]))


def write_mcap(
    path: Path,
    found: Sequence[Row],
    *,
    compression: CompressionType = CompressionType.NONE,
    chunk_size: int = 64 * 1024,
    chunked: bool = True,
    definitions: bool = True,
    foreign: Sequence[tuple[str, str, str, bytes]] = (),
) -> Path:
    """Write one mcap file by the mcap library.

    Args:
        path: of the file.
        found: messages in order of time.
        compression: of the chunks.
        chunk_size: bytes.
        chunked: False writes messages without chunks, as the fastest preset of rosbag2 does.
        definitions: False leaves the definitions of the types out.
        foreign: further channels with one message each: (topic, type, schema encoding, schema).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('wb') as file:
        writer = McapWriter(
            file, chunk_size=chunk_size, compression=compression, use_chunking=chunked
        )
        writer.start(profile='ros2', library='test')
        channels: dict[str, int] = {}
        for topic, kind, encoding, text in foreign:
            schema = writer.register_schema(kind, encoding, text)
            number = writer.register_channel(topic, 'cdr', schema)
            writer.add_message(number, round(START_S * 1e9), b'\0\1\0\0junk', 0)
        for row in found:
            topic, kind = row[1], row[2]
            if topic not in channels:
                text = (
                    STORE.generate_msgdef(kind, ros_version=2)[0].encode() if definitions else b''
                )
                schema = writer.register_schema(kind, 'ros2msg' if definitions else '', text)
                channels[topic] = writer.register_channel(topic, 'cdr', schema)
            stamp_ns = round(row[0] * 1e9)
            writer.add_message(channels[topic], stamp_ns, serialised(row), stamp_ns)
        writer.finish()
    return path


def write_sqlite(path: Path, found: Sequence[Row], *, packed: bool = False) -> Path:
    """Write one .db3 file as ROS 2 Humble does: schema 3, no message definitions.

    Args:
        path: of the file.
        found: messages in order of time.
        packed: compress every message with zstd.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as db:
        db.executescript(
            'CREATE TABLE schema(schema_version INTEGER, ros_distro TEXT);'
            "INSERT INTO schema VALUES (3, 'humble');"
            'CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT,'
            ' serialization_format TEXT, offered_qos_profiles TEXT);'
            'CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER,'
            ' data BLOB);'
            'CREATE INDEX timestamp_idx ON messages (timestamp ASC);'
        )
        numbers: dict[str, int] = {}
        for row in found:
            if row[1] not in numbers:
                numbers[row[1]] = len(numbers) + 1
                topic = (numbers[row[1]], row[1], row[2])
                db.execute("INSERT INTO topics VALUES (?, ?, ?, 'cdr', '')", topic)
            data = serialised(row)
            data = zstandard.compress(data) if packed else data
            values = (numbers[row[1]], round(row[0] * 1e9), data)
            db.execute('INSERT INTO messages(topic_id, timestamp, data) VALUES (?, ?, ?)', values)
    db.close()
    return path


def write_metadata(folder: Path, names: Sequence[str], storage: str, **changes: Any) -> None:
    """Write the metadata of Humble for these files; only what readers need."""
    information = {
        'version': 5,
        'storage_identifier': storage,
        'relative_file_paths': list(names),
        'compression_format': '',
        'compression_mode': '',
        **changes,
    }
    text = yaml.safe_dump({'rosbag2_bagfile_information': information}, sort_keys=False)
    (folder / 'metadata.yaml').write_text(text)


def pack_file(path: Path) -> Path:
    """Compress a file whole, as `--compression-mode file` does."""
    packed = path.with_name(path.name + '.zstd')
    packed.write_bytes(zstandard.compress(path.read_bytes()))
    path.unlink()
    return packed


def cut(path: Path, share: float) -> Path:
    """Leave a share of a file's bytes, as a killed recorder or a full disk does."""
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    return path


def garble(path: Path, share: float, length: int = 200) -> Path:
    """Overwrite some bytes in the middle."""
    data = bytearray(path.read_bytes())
    start = int(share * len(data))
    data[start : start + length] = np.random.default_rng(0).bytes(length)
    path.write_bytes(bytes(data))
    return path
