# SPDX-License-Identifier: Apache-2.0
"""One sqlite3 file of a recording, as every ROS 2 up to Humble writes it by default."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

import zstandard

from vidplan_eval.bags.storage.stored import BagChannel, BagError, StoredMessage
from vidplan_eval.bags.storage.unpacking import unpack

ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'
# A damaged table is read row by row; so many rows in vain and it is over.
MAX_LOST_ROWS = 20_000


class SqliteFile:
    """A .db3 file, open for reading; the schema versions 1 to 4 of rosbag2 are understood."""

    def __init__(self, path: Path) -> None:
        """Open it and learn its topics.

        Raises:
            BagError: no database of rosbag2, or damaged in its table of topics.
        """
        self.path = path
        self.notes: list[str] = []
        self._damaged = False
        self._made_index: Path | None = None
        try:
            self._db = self._open()
            self._by_number = self._read_channels()
        except sqlite3.Error as error:
            raise BagError(f'{path} is not a readable sqlite3 bag: {error}') from error
        self.counts = self._count()

    @property
    def channels(self) -> Collection[BagChannel]:
        """Every topic of the file."""
        return self._by_number.values()

    def messages(self, topics: Collection[str]) -> Iterator[StoredMessage]:
        """Yield the messages of some topics in order of time, leaving out what is damaged."""
        wanted = [n for n, channel in self._by_number.items() if channel.topic in topics]
        rows = self._rescued(wanted) if self._damaged else self._ordered(wanted)
        for number, log_ns, data in rows:
            if isinstance(log_ns, int):
                yield StoredMessage(log_ns, self._by_number[number], _unpacked(data))

    def close(self) -> None:
        """Release the file."""
        self._db.close()
        if self._made_index is not None:
            self._made_index.unlink(missing_ok=True)

    def _open(self) -> sqlite3.Connection:
        """Open it with what a killed recorder left beside it, and change neither."""
        log, index = (self.path.with_name(self.path.name + end) for end in ('-wal', '-shm'))
        if log.exists():
            self._made_index = None if index.exists() else index
            try:
                return _connect(self.path, 'mode=ro')
            except sqlite3.Error as error:
                self.notes.append(
                    f'{log.name} cannot be applied here ({error}), its messages are missing: copy '
                    'the bag to a folder that can be written'
                )
        return _connect(self.path, 'immutable=1')

    def _columns(self, table: str) -> set[str]:
        return {row[1] for row in self._db.execute(f'PRAGMA table_info({table})')}

    def _read_channels(self) -> dict[int, BagChannel]:
        if not {'id', 'name', 'type'} <= self._columns('topics'):
            raise BagError(f'{self.path} is a database, but has no table of topics')
        texts: dict[str, tuple[str, str]] = {}
        if self._columns('message_definitions'):
            query = 'SELECT topic_type, encoded_message_definition, encoding '
            for name, text, language in self._db.execute(query + 'FROM message_definitions'):
                texts[name] = (text, language)
        rows = self._db.execute('SELECT id, name, type, serialization_format FROM topics')
        return {
            number: BagChannel(name, kind, *texts.get(kind, ('', '')), serialization)
            for number, name, kind, serialization in rows
        }

    def _count(self) -> Counter[str]:
        query = 'SELECT topic_id, COUNT(*) FROM messages GROUP BY topic_id'
        counts: Counter[str] = Counter()
        try:
            for number, count in self._db.execute(query):
                counts[self._by_number[number].topic] += count
        except (sqlite3.Error, KeyError) as error:
            self._damaged = True
            self.notes.append(f'{self.path.name} is damaged ({error}); whole rows are read')
            counts.clear()
            for number, _, _ in self._rescued(list(self._by_number)):
                counts[self._by_number[number].topic] += 1
        return counts

    def _ordered(self, wanted: list[int]) -> Iterator[tuple[int, int, bytes]]:
        marks = ','.join('?' * len(wanted))
        query = f'SELECT topic_id, timestamp, data FROM messages WHERE topic_id IN ({marks}) '
        try:
            yield from self._db.execute(query + 'ORDER BY timestamp, id', wanted)
        except sqlite3.Error as error:
            self.notes.append(f'{self.path.name} is damaged ({error}): its end is lost')

    def _rescued(self, wanted: list[int]) -> Iterator[tuple[int, int, bytes]]:
        """Read row by row, as a page that is lost must not hide the others."""
        query = 'SELECT topic_id, timestamp, data FROM messages WHERE id = ?'
        number, lost = 0, 0
        while lost < MAX_LOST_ROWS:
            number += 1
            try:
                row = self._db.execute(query, (number,)).fetchone()
            except sqlite3.Error:
                row = None
            lost = lost + 1 if row is None else 0
            if row is not None and row[0] in wanted and isinstance(row[2], bytes):
                yield row


def _unpacked(data: object) -> bytes:
    """Return a message as it was serialised; what is none is left to fail when it is decoded."""
    if not isinstance(data, bytes):
        return b''
    if data[:4] != ZSTD_MAGIC:  # a CDR message begins with a zero
        return data
    try:
        return unpack('zstd', data)
    except (zstandard.ZstdError, ValueError):
        return data


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    db = sqlite3.connect(f'{path.resolve().as_uri()}?{mode}', uri=True)
    # Only so does sqlite open a file that is shorter than it says itself.
    db.execute('PRAGMA writable_schema=ON')
    db.execute('SELECT COUNT(*) FROM sqlite_master')  # opens the log, where there is one
    return db
