# SPDX-License-Identifier: Apache-2.0
"""Write rosbag2 folders (mcap storage) without ROS."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from rosbags.interfaces import Connection
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys.store import Typestore

from vidplan_eval.bags.bag_types import definition, typestore
from vidplan_eval.bags.recording import ROLES_KEY
from vidplan_eval.bags.storage.stored import BagError


@dataclass(frozen=True)
class BagTopic:
    """One topic of a bag.

    Attributes:
        role: Its name in VidPlan's code, such as 'left/image_raw'.
        topic: Its name on this robot, after namespace and remapping.
        type_name: Such as 'sensor_msgs/msg/Image'.
    """

    role: str
    topic: str
    type_name: str


# What has not been written out after so long would be lost with the process, s.
FLUSH_S = 0.5
# A recording ends in order while there is still so much room on the disk, bytes.
LEAST_FREE = 200 * 1024 * 1024


class BagWriter:
    """Writes serialised messages into a new bag; `close` makes it whole, any number of times.

    Whatever ends the process, all but the last half second can be read: chunks are written out
    whole, and metadata that name the file are there from the beginning.
    """

    def __init__(
        self,
        path: Path,
        topics: Sequence[BagTopic],
        *,
        store: Typestore | None = None,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        """Create the folder `path`.

        Args:
            path: of the bag; must not exist.
            topics: all that will be written.
            store: message types; those of `typestore()` by default.
            notes: further key-value pairs for the metadata.

        Raises:
            BagError: the folder exists, or cannot be made.
        """
        if path.exists():
            raise BagError(f'{path} exists already; a recording needs a new folder')
        self.path = path
        self.count = 0
        self._writer: Writer | None = Writer(
            path, version=Writer.VERSION_LATEST, storage_plugin=StoragePlugin.MCAP
        )
        # Chunks are compressed inside the mcap, which every reader understands.
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        try:
            self._writer.open()
        except OSError as error:
            raise BagError(f'cannot create {path}: {error.strerror}') from error
        self._whole = self._flushed_s = 0.0
        roles = {topic.role: topic.topic for topic in topics}
        for key, value in {ROLES_KEY: json.dumps(roles), **(notes or {})}.items():
            self._writer.set_custom_data(key, value)
        self._connections = self._connect(topics, store or typestore())
        write_provisional(path, topics, {ROLES_KEY: json.dumps(roles), **(notes or {})})
        self.flush()

    def _connect(self, topics: Sequence[BagTopic], store: Typestore) -> dict[str, Connection]:
        assert self._writer is not None
        connections = {}
        for topic in topics:
            known = definition(store, topic.type_name)
            connections[topic.role] = self._writer.add_connection(
                topic.topic, topic.type_name, msgdef=known.text, rihs01=known.digest
            )
        return connections

    def write(self, role: str, stamp_ns: int, data: bytes) -> None:
        """Append one serialised message (CDR) of a role.

        Raises:
            BagError: the bag is closed, or the disk is full; what was written before can be read.
        """
        if self._writer is None:
            raise BagError(f'{self.path} is closed')
        try:
            self._writer.write(self._connections[role], stamp_ns, data)
            self.count += 1
            if time.monotonic() - self._flushed_s > FLUSH_S:
                self.flush()
        except OSError as error:
            self._give_up()
            raise BagError(
                f'{self.path}: the recording ended after {self.count} messages: {error.strerror}; '
                'what was written before can be read'
            ) from error

    def flush(self) -> None:
        """Write out all messages so far as a whole chunk.

        Raises:
            OSError: the disk is full.
            BagError: it nearly is; the bag has been closed in order.
        """
        assert self._writer is not None
        storage: Any = self._writer.storage
        if storage.chunk.bio.tell():
            storage.close_chunk()
        storage.bio.flush()
        self._whole, self._flushed_s = storage.bio.tell(), time.monotonic()
        free = shutil.disk_usage(self.path).free
        if free < LEAST_FREE:
            self.close()
            raise BagError(
                f'{self.path}: only {free // 2**20} MB are left on the disk: the recording ended '
                'in order'
            )

    def _give_up(self) -> None:
        """Leave the file as it was after the last whole chunk, without an index."""
        writer, self._writer = self._writer, None
        assert writer is not None
        storage: Any = writer.storage
        with suppress(OSError):
            storage.bio.close()
        os.truncate(storage.path, int(self._whole))

    def close(self) -> None:
        """Write the index and the metadata; without them readers refuse the bag."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        if not self.count:
            # The extremes that stand for "no time" overflow other readers.
            writer.min_timestamp = writer.max_timestamp = 0
            assert writer.storage is not None
            with suppress(AttributeError):
                writer.storage.message_start_time = 0  # type: ignore[attr-defined]
        try:
            writer.close()
        except OSError as error:
            self._writer = writer
            self._give_up()
            raise BagError(f'{self.path} has no index: {error.strerror}') from error

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def write_provisional(path: Path, topics: Sequence[BagTopic], notes: Mapping[str, str]) -> None:
    """Write the metadata of a bag that is being recorded; the last ones replace them."""
    information = {
        'version': 8,
        'storage_identifier': 'mcap',
        'duration': {'nanoseconds': 0},
        'starting_time': {'nanoseconds_since_epoch': 0},
        'message_count': 0,
        'topics_with_message_count': [
            {
                'topic_metadata': {
                    'name': topic.topic,
                    'type': topic.type_name,
                    'serialization_format': 'cdr',
                    'offered_qos_profiles': [],
                    'type_description_hash': '',
                },
                'message_count': 0,
            }
            for topic in topics
        ],
        'compression_format': '',
        'compression_mode': '',
        'relative_file_paths': [f'{path.name}.mcap'],
        'files': [],
        'custom_data': dict(notes),
        'ros_distro': 'jazzy',
    }
    text = yaml.safe_dump({'rosbag2_bagfile_information': information}, sort_keys=False)
    (path / 'metadata.yaml').write_text(text, encoding='utf-8')
