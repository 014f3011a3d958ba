# SPDX-License-Identifier: Apache-2.0
"""Write and read rosbag2 folders (mcap storage) without ROS."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.interfaces import Connection
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.rosbag2.errors import ReaderError
from rosbags.typesys.store import Typestore

from vidplan_core.errors import VidPlanError
from vidplan_eval.bags.bag_types import definition, typestore

# Key of the metadata under which a bag keeps which topic plays which role.
ROLES_KEY = 'vidplan_topics'


class BagError(VidPlanError):
    """A bag that cannot be written, or does not hold what is asked of it."""

    code = 'INVALID_BAG'


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


class Bag:
    """A bag that is open for reading; a context manager."""

    def __init__(self, path: Path | str) -> None:
        """Open the folder `path`.

        Raises:
            BagError: nothing there, not a bag, cut short, or of another kind.
        """
        self.path = Path(path)
        _check_folder(self.path)
        self._reader = _checked(self.path, lambda: AnyReader([self.path], default_typestore=None))
        _checked(self.path, self._reader.open)
        self.counts = {name: info.msgcount for name, info in self._reader.topics.items()}
        self._roles = self._read_roles()

    def __enter__(self) -> Bag:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reader.close()

    def topic(self, role: str) -> str:
        """Return the topic that plays a role: as recorded, else the role from the root."""
        return self._roles.get(role, '/' + role)

    def count(self, role: str) -> int:
        """Return how many messages of a role there are."""
        return self.counts.get(self.topic(role), 0)

    def require(self, roles: Collection[str]) -> None:
        """Raise BagError unless there is a message of every role; it names the missing topics."""
        missing = [self.topic(role) for role in roles if not self.count(role)]
        if missing:
            present = ', '.join(f'{name} ({count})' for name, count in sorted(self.counts.items()))
            raise BagError(
                f'{self.path} has no messages on {", ".join(missing)}; it has {present or "none"}'
            )

    def messages(self, roles: Collection[str]) -> Iterator[tuple[str, int, Any]]:
        """Yield (role, log time in ns, message) in order of time.

        Raises:
            BagError: the bag is damaged somewhere inside.
        """
        for role, stamp_ns, (data, type_name) in self._rows(roles):
            decode = partial(self._reader.deserialize, data, type_name)
            yield role, stamp_ns, _checked(self.path, decode)

    def _rows(self, roles: Collection[str]) -> Iterator[tuple[str, int, tuple[bytes, str]]]:
        names = {self.topic(role): role for role in roles}
        connections = [c for c in self._reader.connections if c.topic in names]
        if not connections:
            return
        rows = self._reader.messages(connections=connections)
        while (row := _checked(self.path, lambda: next(rows, None))) is not None:
            connection, stamp_ns, data = row
            yield names[connection.topic], stamp_ns, (data, connection.msgtype)

    def raw_messages(self, roles: Collection[str]) -> Iterator[tuple[str, int, bytes]]:
        """Yield (role, log time in ns, CDR bytes) in order of time.

        Raises:
            BagError: the bag is damaged somewhere inside.
        """
        for role, stamp_ns, (data, _) in self._rows(roles):
            yield role, stamp_ns, data

    def _read_roles(self) -> dict[str, str]:
        from ruamel.yaml import YAML

        text = (self.path / 'metadata.yaml').read_text(encoding='utf-8')
        information = YAML(typ='safe').load(text)['rosbag2_bagfile_information']
        stored = (information.get('custom_data') or {}).get(ROLES_KEY, '{}')
        return dict(json.loads(stored))


def _check_folder(path: Path) -> None:
    if not path.exists():
        raise BagError(f'{path} does not exist')
    if not path.is_dir():
        raise BagError(f'{path} is not the folder of a rosbag2')
    if not (path / 'metadata.yaml').is_file():
        raise BagError(
            f'{path} has no metadata.yaml: it is no rosbag2, or its recorder was killed before '
            'it could finish (`ros2 bag reindex` may save it)'
        )


def _checked(path: Path, action: Callable[[], Any]) -> Any:
    """Result of an action on a bag; every way of failing becomes a BagError that names it."""
    try:
        return action()
    except (AnyReaderError, ReaderError) as error:
        raise BagError(f'{path}: {error}') from error
    except (OSError, EOFError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise BagError(f'{path} is damaged or cut short: {error!r}') from error
    except Exception as error:  # decompressors and parsers have exceptions of their own
        raise BagError(f'{path} is damaged: {error!r}') from error
