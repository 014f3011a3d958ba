# SPDX-License-Identifier: Apache-2.0
"""Write rosbag2 folders (mcap storage) without ROS."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

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


class BagWriter:
    """Writes serialised messages into a new bag; `close` makes it whole, any number of times."""

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
        roles = {topic.role: topic.topic for topic in topics}
        for key, value in {ROLES_KEY: json.dumps(roles), **(notes or {})}.items():
            self._writer.set_custom_data(key, value)
        self._connections = self._connect(topics, store or typestore())

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
            BagError: the bag is closed.
        """
        if self._writer is None:
            raise BagError(f'{self.path} is closed')
        self._writer.write(self._connections[role], stamp_ns, data)
        self.count += 1

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
        writer.close()

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
