# SPDX-License-Identifier: Apache-2.0
"""One mcap file, with its index or, where the recorder was killed, without one."""

from __future__ import annotations

import heapq
import struct
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import zstandard
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.reader import SeekingReader
from mcap.records import Channel, Schema
from mcap.summary import Summary

from vidplan_eval.bags.storage.mcap_records import (
    MAGIC,
    FileRecord,
    content,
    file_records,
    inner_records,
    message,
    parsed,
    rescued,
    unpacked,
)
from vidplan_eval.bags.storage.stored import BagChannel, BagError, StoredMessage

# Everything by which the mcap library and the decompressors say that bytes make no sense.
DAMAGE = (
    McapError, zstandard.ZstdError, struct.error, ValueError, KeyError, RuntimeError, EOFError,
    OverflowError,
)  # fmt: skip
_HEAD_BYTES = 9


@dataclass
class _Contents:
    """What is known of the file's channels and chunks."""

    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    counts: Counter[int] = field(default_factory=Counter)


class McapFile:
    """An mcap file, open for reading."""

    def __init__(self, path: Path) -> None:
        """Open it and learn its channels.

        Raises:
            BagError: not an mcap file, or nothing in it.
        """
        self.path = path
        self.notes: list[str] = []
        self._size = path.stat().st_size
        self._file = path.open('rb')
        if self._file.read(len(MAGIC)) != MAGIC:
            what = 'is empty' if not self._size else 'is not an mcap file'
            raise BagError(f'{path} {what}')
        self._contents = _Contents()
        summary = self._summary()
        if summary is not None and summary.chunk_indexes and summary.statistics is not None:
            self._chunks = [
                (index.message_start_time, _record(index.chunk_start_offset, index.chunk_length))
                for index in sorted(summary.chunk_indexes, key=lambda one: one.message_start_time)
            ]
            self._take(summary)
        else:
            self._chunks = []
            self._scan()
        self._by_number = {n: self._channel(c) for n, c in self._contents.channels.items()}

    @property
    def channels(self) -> Collection[BagChannel]:
        """Every topic of the file."""
        return self._by_number.values()

    @property
    def counts(self) -> Counter[str]:
        """Messages by topic."""
        counts: Counter[str] = Counter()
        for number, count in self._contents.counts.items():
            if number in self._by_number:
                counts[self._by_number[number].topic] += count
        return counts

    def messages(self, topics: Collection[str]) -> Iterator[StoredMessage]:
        """Yield the messages of some topics in order of time, leaving out what is damaged."""
        wanted = {n: c for n, c in self._by_number.items() if c.topic in topics}
        return self._indexed(wanted) if self._chunks else self._in_file_order(wanted)

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _summary(self) -> Summary | None:
        self._file.seek(0)
        summary = None
        with suppress(*DAMAGE, OSError):
            summary = SeekingReader(self._file, record_size_limit=self._size).get_summary()
        if summary is None:
            self.notes.append(
                f'{self.path.name} has no index: its recorder was killed or the file was cut; '
                'it is read as far as it goes'
            )
        return summary

    def _take(self, summary: Summary) -> None:
        assert summary.statistics is not None
        counts = Counter(summary.statistics.channel_message_counts)
        self._contents = _Contents(dict(summary.schemas), dict(summary.channels), counts)

    def _scan(self) -> None:
        """Learn the channels of a file without an index by reading it once."""
        for opcode, record in self._records():
            self._note(opcode, record)

    def _note(self, opcode: int, record: bytes | memoryview) -> None:
        known = self._contents
        if opcode == Opcode.SCHEMA:
            schema = parsed(Schema.read, record)
            known.schemas[schema.id] = schema
        elif opcode == Opcode.CHANNEL:
            channel = parsed(Channel.read, record)
            known.channels[channel.id] = channel
        elif opcode == Opcode.MESSAGE:
            known.counts[int.from_bytes(record[:2], 'little')] += 1

    def _records(self) -> Iterator[tuple[int, bytes | memoryview]]:
        """Every record of the data, those of chunks among them."""
        for record in file_records(self._file, self._size):
            if record.opcode == Opcode.CHUNK:
                yield from inner_records(self._unpacked(record))
            elif record.start + record.length <= self._size:
                yield record.opcode, content(self._file, record)

    def _unpacked(self, record: FileRecord) -> bytes:
        data = content(self._file, record)
        if len(data) < record.length:
            return rescued(data)
        try:
            return unpacked(data)
        except DAMAGE as error:
            self._tell(f'{self.path.name} is damaged at byte {record.start}: {error}')
            return b''

    def _tell(self, words: str) -> None:
        if words not in self.notes:
            self.notes.append(words)

    def _channel(self, channel: Channel) -> BagChannel:
        schema = self._contents.schemas.get(channel.schema_id)
        if schema is None:
            return BagChannel(channel.topic, '', serialization=channel.message_encoding)
        text = schema.data.decode('utf-8', 'replace')
        return BagChannel(
            channel.topic, schema.name, text, schema.encoding, channel.message_encoding
        )

    def _indexed(self, wanted: dict[int, BagChannel]) -> Iterator[StoredMessage]:
        """Chunks overlap in time: a message waits until no later chunk can begin before it."""
        waiting: list[tuple[int, int, BagChannel, bytes]] = []
        order = 0
        for start_ns, record in self._chunks:
            while waiting and waiting[0][0] < start_ns:
                log_ns, _, channel, data = heapq.heappop(waiting)
                yield StoredMessage(log_ns, channel, data)
            for found in self._wanted(inner_records(self._unpacked(record)), wanted):
                heapq.heappush(waiting, (found.log_ns, order, found.channel, found.data))
                order += 1
        while waiting:
            log_ns, _, channel, data = heapq.heappop(waiting)
            yield StoredMessage(log_ns, channel, data)

    def _in_file_order(self, wanted: dict[int, BagChannel]) -> Iterator[StoredMessage]:
        yield from self._wanted(self._records(), wanted)

    def _wanted(
        self, records: Iterator[tuple[int, bytes | memoryview]], wanted: dict[int, BagChannel]
    ) -> Iterator[StoredMessage]:
        for opcode, record in records:
            if opcode == Opcode.MESSAGE:
                found = message(memoryview(record))
                if found.channel_id in wanted:
                    yield StoredMessage(found.log_ns, wanted[found.channel_id], found.data)


def _record(offset: int, length: int) -> FileRecord:
    return FileRecord(Opcode.CHUNK, offset + _HEAD_BYTES, length - _HEAD_BYTES)
