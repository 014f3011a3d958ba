# SPDX-License-Identifier: Apache-2.0
"""What is small and unpacks to more than memory or disk hold is not unpacked."""

from __future__ import annotations

import shutil
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from tests.fakes.field_bag import pack_file, rows, write_sqlite
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.storage import sqlite_file, unpacking
from vidplan_eval.bags.storage.folder import SPARED
from vidplan_eval.bags.storage.mcap_records import rescued, unpacked
from vidplan_eval.bags.storage.stored import BagError

SIZE = 3_000_000
PACK = {'zstd': zstandard.ZstdCompressor().compress, 'lz4': lz4.frame.compress}


@pytest.mark.parametrize('name', PACK)
def test_what_unpacks_to_more_than_the_limit_is_refused(name: str) -> None:
    packed = PACK[name](bytes(SIZE))
    assert unpacking.unpack(name, packed, SIZE) == bytes(SIZE)
    assert len(unpacking.unpack(name, packed[: len(packed) // 2], SIZE)) <= SIZE
    with pytest.raises(ValueError, match='larger than 2999999 bytes'):
        unpacking.unpack(name, packed, SIZE - 1)


@pytest.mark.parametrize('name', PACK)
def test_a_chunk_is_no_larger_than_it_says(name: str) -> None:
    def chunk(says: int) -> bytes:
        packed = PACK[name](bytes(SIZE))
        lengths = (0).to_bytes(16, 'little') + says.to_bytes(8, 'little') + bytes(4)
        word = len(name).to_bytes(4, 'little') + name.encode()
        return lengths + word + len(packed).to_bytes(8, 'little') + packed

    assert unpacked(chunk(SIZE)) == rescued(chunk(SIZE)) == bytes(SIZE)
    with pytest.raises(ValueError, match='larger than 1000 bytes'):
        unpacked(chunk(1000))


def test_a_message_larger_than_memory_is_left_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = PACK['zstd'](bytes(SIZE))
    assert sqlite_file._unpacked(packed) == bytes(SIZE)
    monkeypatch.setattr(sqlite_file, 'unpack', lambda *words: unpacking.unpack(*words, SIZE - 1))
    assert sqlite_file._unpacked(packed) == packed


def test_a_file_that_would_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack_file(write_sqlite(tmp_path / 'bag.db3', rows()))
    usage = shutil.disk_usage(tmp_path)._replace(free=SPARED + 1000)
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage)
    with pytest.raises(BagError, match='does not fit on the disk of'):
        Bag(path)
