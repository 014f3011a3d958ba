# SPDX-License-Identifier: Apache-2.0
"""Records of an mcap file (https://mcap.dev/spec), read as far as they are whole."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple, TypeVar
from zlib import crc32

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Chunk

from vidplan_eval.bags.storage.unpacking import LARGEST, unpack

MAGIC = b'\x89MCAP0\r\n'
_HEAD = struct.Struct('<BQ')
_MESSAGE = struct.Struct('<HIQQ')
# Start and end time, uncompressed size, checksum, length of the compression's name.
_CHUNK = struct.Struct('<QQQII')
# What a recorder writes beside messages is small; a longer record is a broken length.
_LONGEST_OTHER = 64 * 1024 * 1024

Read = TypeVar('Read')


class FileRecord(NamedTuple):
    """A record of the file: its opcode, where its content begins, and how long that is, bytes."""

    opcode: int
    start: int
    length: int


class ChannelMessage(NamedTuple):
    """A message of a chunk: its channel's number, when it was recorded, ns, and its bytes."""

    channel_id: int
    log_ns: int
    data: bytes


def file_records(file: BinaryIO, size: int) -> Iterator[FileRecord]:
    """Yield the records up to the end of the data, or to where they stop making sense.

    The last one may be longer than what is left of the file: it was cut.
    """
    at = len(MAGIC)
    while at + _HEAD.size <= size:
        file.seek(at)
        opcode, length = _HEAD.unpack(file.read(_HEAD.size))
        known = Opcode.HEADER <= opcode <= Opcode.DATA_END
        if opcode in (Opcode.DATA_END, Opcode.FOOTER) or not known:
            return
        at += _HEAD.size
        if at + length > size and length > _LONGEST_OTHER and opcode != Opcode.CHUNK:
            return
        yield FileRecord(opcode, at, length)
        at += length


def content(file: BinaryIO, record: FileRecord) -> bytes:
    """Return the bytes of a record; fewer than its length where the file ends before."""
    file.seek(record.start)
    return file.read(record.length)


def inner_records(data: bytes) -> Iterator[tuple[int, memoryview]]:
    """Yield opcode and content of every whole record in the bytes of a chunk."""
    view, at = memoryview(data), 0
    while at + _HEAD.size <= len(view):
        opcode, length = _HEAD.unpack_from(view, at)
        at += _HEAD.size
        if at + length > len(view):
            return
        yield opcode, view[at : at + length]
        at += length


def message(record: memoryview) -> ChannelMessage:
    """Return what a message record holds."""
    channel_id, _, log_ns, _ = _MESSAGE.unpack_from(record)
    return ChannelMessage(channel_id, log_ns, bytes(record[_MESSAGE.size :]))


def parsed(read: Callable[[ReadDataStream], Read], record: bytes | memoryview) -> Read:
    """Return a record as an object of the mcap library, such as a Channel."""
    return read(ReadDataStream(io.BytesIO(bytes(record))))


def unpacked(record: bytes) -> bytes:
    """Return what a whole chunk holds, decompressed and checked.

    Raises:
        Exception: of the mcap library or of a decompressor: it is damaged.
    """
    chunk = parsed(Chunk.read, record)
    size = min(chunk.uncompressed_size, LARGEST)
    data = unpack(chunk.compression, chunk.data, size) if chunk.compression else chunk.data
    if len(data) != chunk.uncompressed_size:
        raise ValueError(f'{len(data)} bytes of {chunk.uncompressed_size}')
    if chunk.uncompressed_crc and crc32(data) != chunk.uncompressed_crc:
        raise ValueError('its checksum is wrong')
    return data


def rescued(record: bytes) -> bytes:
    """Return as much as can be decompressed of a chunk that was cut; nothing of a damaged one."""
    if len(record) < _CHUNK.size:
        return b''
    name_length = _CHUNK.unpack_from(record)[-1]
    name = record[_CHUNK.size : _CHUNK.size + name_length].decode(errors='replace')
    packed = record[_CHUNK.size + name_length + 8 :]
    try:
        return unpack(name, packed) if name else packed
    except (zstandard.ZstdError, RuntimeError, ValueError):
        return b''
