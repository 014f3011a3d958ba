# SPDX-License-Identifier: Apache-2.0
"""Write rosbag2 folders (mcap storage) without ROS."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.interfaces import Connection
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys.store import Typestore

from vidplan_eval.bags.bag_types import definition, typestore
from vidplan_eval.bags.recording import ROLES_KEY
from vidplan_eval.bags.storage.metadata import (
    combined,
    provisional,
    read_metadata,
    write_metadata,
)
from vidplan_eval.bags.storage.sealed_file import SealedFile
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
# A recording goes on in another file from this size on, bytes.
SPLIT_BYTES = 2 * 1024**3
# A recording ends in order while there is still so much room on the disk, bytes.
LEAST_FREE = 200 * 1024 * 1024


class BagWriter:
    """Writes serialised messages into a new bag; `close` makes it whole, any number of times.

    Whatever ends the process, all but the last half second can be read: chunks are written out
    whole, each with an end of the file, and metadata that name the file are there from the
    beginning. A file that has become large is closed, and the bag goes on in the next one,
    `<bag>_1.mcap`.
    """

    def __init__(
        self,
        path: Path,
        topics: Sequence[BagTopic],
        *,
        store: Typestore | None = None,
        notes: Mapping[str, str] | None = None,
        split_bytes: int = SPLIT_BYTES,
    ) -> None:
        """Create the folder `path`.

        Args:
            path: of the bag; must not exist.
            topics: all that will be written.
            store: message types; those of `typestore()` by default.
            notes: further key-value pairs for the metadata.
            split_bytes: size of a file from which on the next one is begun.

        Raises:
            BagError: the folder exists, or cannot be made.
        """
        if path.exists():
            raise BagError(f'{path} exists already; a recording needs a new folder')
        self.path = path
        self.count = 0
        self._topics, self._store = topics, store or typestore()
        roles = {topic.role: topic.topic for topic in topics}
        self._notes = {ROLES_KEY: json.dumps(roles), **(notes or {})}
        self._split_bytes = split_bytes
        self._closed: list[dict[str, Any]] = []  # metadata of the files that are whole
        self._flushed_s = 0.0
        self._writer: Writer | None = self._begin(path)
        self._connections = self._connect()
        self.flush()

    def _begin(self, folder: Path) -> Writer:
        """Begin a file in a new folder, and say so in the metadata."""
        writer = Writer(folder, version=Writer.VERSION_LATEST, storage_plugin=StoragePlugin.MCAP)
        # Chunks are compressed inside the mcap, which every reader understands.
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        try:
            writer.open()
            storage: Any = writer.storage
            if folder != self.path:  # it belongs beside the others
                storage.path = storage.path.rename(self.path / storage.path.name)
                writer.metapath = self.path / f'{folder.name}.yaml'
                folder.rmdir()
        except OSError as error:
            raise BagError(f'cannot create {folder}: {error.strerror}') from error
        self._file = SealedFile(storage.bio)
        storage.bio = self._file
        for key, value in self._notes.items():
            writer.set_custom_data(key, value)
        types = {topic.topic: topic.type_name for topic in self._topics}
        begun = provisional(f'{folder.name}.mcap', types, self._notes)
        write_metadata(self.path, combined([*self._closed, begun]))
        return writer

    def _connect(self) -> dict[str, Connection]:
        assert self._writer is not None
        connections = {}
        for topic in self._topics:
            known = definition(self._store, topic.type_name)
            connections[topic.role] = self._writer.add_connection(
                topic.topic, topic.type_name, msgdef=known.text, rihs01=known.digest
            )
        return connections

    def _split(self) -> None:
        """Close the file and go on in the next one.

        Raises:
            BagError: it cannot be begun, or the last one not be closed.
        """
        self._end()
        self._writer = self._begin(self.path / f'{self.path.name}_{len(self._closed)}')
        self._connections = self._connect()

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
            if self._file.waiting:  # a chunk has become large
                self._file.seal()
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
        self._file.seal()
        self._flushed_s = time.monotonic()
        if self._file.tell() > self._split_bytes:
            self._split()
        free = shutil.disk_usage(self.path).free
        if free < LEAST_FREE:
            self.close()
            raise BagError(
                f'{self.path}: only {free // 2**20} MB are left on the disk: the recording ended '
                'in order'
            )

    def _give_up(self) -> None:
        """Leave the file as it was after the last whole chunk, without an index."""
        self._writer = None
        self._file.give_up()

    def close(self) -> None:
        """Write the index and the metadata."""
        if self._writer is not None:
            self._end()

    def _end(self) -> None:
        """Close the file that is being written, and say so in the metadata."""
        writer, self._writer = self._writer, None
        assert writer is not None
        if not sum(writer.counts.values()):
            # The extremes that stand for "no time" overflow other readers.
            writer.min_timestamp = writer.max_timestamp = 0
            assert writer.storage is not None
            with suppress(AttributeError):
                writer.storage.message_start_time = 0  # type: ignore[attr-defined]
        try:
            writer.close()
        except OSError as error:
            self._give_up()
            raise BagError(
                f'{self.path} has no index: {error.strerror}; what was written before can be read'
            ) from error
        self._closed.append(read_metadata(writer.metapath))
        if len(self._closed) > 1:
            writer.metapath.unlink()
            write_metadata(self.path, combined(self._closed))

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
