# SPDX-License-Identifier: Apache-2.0
"""An mcap file that is whole at any time while it grows, as readers that want an end need it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import BinaryIO

from vidplan_eval.bags.storage.mcap_records import MAGIC

# End of data and footer, both without checksums; a footer without a summary says: no index.
END = b'\x0f' + (4).to_bytes(8, 'little') + bytes(4) + b'\x02' + (20).to_bytes(8, 'little')
END += bytes(20) + MAGIC


class SealedFile:
    """Takes the place of a writer's file: what is written waits until it is sealed.

    Sealing writes it over the end that the file had, with a new end, in one go. A process that is
    killed at any time but during that leaves a file without an index that every reader takes.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Go on where an open file ends."""
        file.flush()
        self._file, self._whole = file, file.tell()
        self._waiting = bytearray()

    @property
    def waiting(self) -> int:
        """Bytes that would be lost with the process."""
        return len(self._waiting)

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Take bytes; returns how many."""
        self._waiting += data
        return len(data)

    def tell(self) -> int:
        """Return where the next byte will be."""
        return self._whole + len(self._waiting)

    def seal(self) -> None:
        """Write out what waits, and an end after it.

        Raises:
            OSError: the disk is full.
        """
        self._put(bytes(self._waiting) + END)
        self._whole += len(self._waiting)
        self._waiting.clear()

    def close(self) -> None:
        """Write out what waits, which has an end of its own, and close.

        Raises:
            OSError: the disk is full; `give_up` is left to be called.
        """
        if self._waiting:
            self._put(bytes(self._waiting))
            self._waiting.clear()
        self._file.close()

    def give_up(self) -> None:
        """Leave the file as it was when it was last sealed."""
        self._waiting.clear()
        if not self._file.closed:
            os.ftruncate(self._file.fileno(), self._whole)
            with suppress(OSError):
                self._put(END)
            self._file.close()

    def _put(self, data: bytes) -> None:
        left, at = memoryview(data), self._whole
        while left:
            written = os.pwrite(self._file.fileno(), left, at)
            left, at = left[written:], at + written
