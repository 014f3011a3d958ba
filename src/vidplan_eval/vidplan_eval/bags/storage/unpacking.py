# SPDX-License-Identifier: Apache-2.0
"""Decompression with an end: a few kilobytes can stand for more than any memory holds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

import lz4.frame
import zstandard

#: Largest message or chunk, bytes; recorders begin a new chunk after a few megabytes.
LARGEST = 512 * 1024 * 1024
_BLOCK = 1024 * 1024


def unpack(name: str, packed: bytes, largest: int = LARGEST) -> bytes:
    """Decompress zstd or lz4, by name; what was cut gives as much as there is of it.

    Raises:
        ValueError: it is larger than `largest` bytes, or compressed in another way.
        zstandard.ZstdError, RuntimeError: it is damaged.
    """
    if name == 'zstd':
        return b''.join(zstd_blocks(packed, largest))
    if name == 'lz4':
        reader = lz4.frame.LZ4FrameDecompressor()
        data = bytes(reader.decompress(packed, max_length=largest + 1))
        if len(data) > largest:
            raise ValueError(_too_large(largest))
        return data
    raise ValueError(f'unknown compression {name!r}')


def zstd_blocks(packed: bytes | BinaryIO, largest: int) -> Iterator[bytes]:
    """Yield what zstd has packed, a megabyte at a time.

    Raises:
        ValueError: it is larger than `largest` bytes.
        zstandard.ZstdError: it is damaged.
    """
    size = 0
    with zstandard.ZstdDecompressor().stream_reader(packed, closefd=False) as reader:
        for block in iter(partial(reader.read, _BLOCK), b''):
            size += len(block)
            if size > largest:
                raise ValueError(_too_large(largest))
            yield block


def _too_large(largest: int) -> str:
    return f'decompressed it is larger than {largest} bytes'
