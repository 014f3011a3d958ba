# SPDX-License-Identifier: Apache-2.0
"""Read recordings of ROS 2, of any age and storage and however they ended, without ROS."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from vidplan_core.errors import VidPlanError
from vidplan_eval.bags.decoding import Decoder
from vidplan_eval.bags.recording import ROLES_KEY
from vidplan_eval.bags.storage.folder import open_files
from vidplan_eval.bags.storage.stored import BagChannel, BagError, StoredMessage


@dataclass
class Skipped:
    """Messages of a topic that were left out: how many, and why the first one."""

    count: int
    reason: str


class Bag:
    """A recording that is open for reading; a context manager.

    Attributes:
        path: of its folder or file.
        counts: messages by topic.
        channels: by topic.
        skipped: by topic, what was left out so far.
    """

    def __init__(self, path: Path | str) -> None:
        """Open a folder of a rosbag2, or one of its files.

        Raises:
            BagError: nothing there, or nothing that can be read.
        """
        self.path = Path(path)
        try:
            self._stored = open_files(self.path)
        except OSError as error:
            raise BagError(f'{path} cannot be read: {error.strerror}') from error
        self.counts: Counter[str] = Counter()
        self.channels: dict[str, BagChannel] = {}
        for file in self._stored.files:
            self.counts.update({channel.topic: 0 for channel in file.channels})
            self.counts.update(file.counts)
            self.channels |= {channel.topic: channel for channel in file.channels}
        self.skipped: dict[str, Skipped] = {}
        self._decoder = Decoder()
        self._roles = self._read_roles()

    def __enter__(self) -> Bag:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stored.closing.close()

    @property
    def notes(self) -> list[str]:
        """What was missing or damaged, as far as it has been read."""
        return self._stored.notes + [note for file in self._stored.files for note in file.notes]

    @property
    def custom(self) -> dict[str, str]:
        """Key-value pairs that its recorder left."""
        return self._stored.custom

    def topic(self, role: str) -> str:
        """Return the topic that plays a role: as recorded, else the role from the root."""
        return self._roles.get(role, '/' + role.lstrip('/'))

    def count(self, role: str) -> int:
        """Return how many messages of a role there are."""
        return self.counts.get(self.topic(role), 0)

    def require(self, roles: Collection[str]) -> None:
        """Raise BagError unless there is a message of every role; it names the missing topics."""
        missing = [self.topic(role) for role in roles if not self.count(role)]
        if missing:
            raise BagError(
                f'{self.path} has no messages on {", ".join(missing)}; it has {self.present()}'
            )

    def present(self) -> str:
        """Return the topics that there are, with the number of messages, in words."""
        return ', '.join(f'{name} ({count})' for name, count in sorted(self.counts.items())) or '-'

    def messages(self, roles: Collection[str]) -> Iterator[tuple[str, int, Any]]:
        """Yield (role, log time in ns, message) in order of time.

        A message that cannot be decoded is skipped and counted. A topic may play several roles.
        """
        by_topic: dict[str, list[str]] = {}
        for role in roles:
            by_topic.setdefault(self.topic(role), []).append(role)
        for stored in self.stored(by_topic):
            message = self.decoded(stored)
            if message is not None:
                for role in by_topic[stored.channel.topic]:
                    yield role, stored.log_ns, message

    def stored(self, topics: Collection[str]) -> Iterator[StoredMessage]:
        """Yield messages of some topics as bytes, in order of time over all files."""
        parts = [file.messages(topics) for file in self._stored.files]
        return heapq.merge(*parts, key=lambda stored: stored.log_ns)

    def decoded(self, stored: StoredMessage) -> Any:
        """Return a message as an object, None where it had to be skipped."""
        try:
            return self._decoder.message(stored)
        except VidPlanError as error:
            self.skip(stored.channel.topic, str(error))
            return None

    def peek(self, topic: str, count: int) -> Iterator[Any]:
        """Yield those of the first messages of a topic that can be decoded, counting none."""
        for stored in islice(self.stored([topic]), count):
            with suppress(VidPlanError):
                yield self._decoder.message(stored)

    def skip(self, topic: str, reason: str) -> None:
        """Count a message that is of no use."""
        if topic in self.skipped:
            self.skipped[topic].count += 1
        else:
            self.skipped[topic] = Skipped(1, reason)

    def _read_roles(self) -> dict[str, str]:
        try:
            roles = json.loads(self._stored.custom.get(ROLES_KEY, '{}'))
        except ValueError:
            return {}
        return dict(roles) if isinstance(roles, dict) else {}
