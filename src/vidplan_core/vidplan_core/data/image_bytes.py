# SPDX-License-Identifier: Apache-2.0
"""A serialised `sensor_msgs/Image`, read in place: of large pictures every copy costs."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from vidplan_core.errors import ObservationError

# Kinds of CDR that lay such a message out alike; odd ones are little-endian.
_KINDS = (0x0000, 0x0001, 0x0006, 0x0007)
_KIND = struct.Struct('>Hxx')


class Stamp(NamedTuple):
    """A builtin_interfaces/Time."""

    sec: int
    nanosec: int


class Header(NamedTuple):
    """A std_msgs/Header."""

    stamp: Stamp
    frame_id: str


@dataclass(frozen=True, eq=False)
class ImageBytes:
    """Has the fields of a `sensor_msgs/Image`; its data lie in the bytes that it was read from."""

    header: Header
    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: memoryview


def read_image(serialised: bytes) -> ImageBytes:
    """Return the fields of a serialised image.

    Raises:
        ObservationError: it is cut short, or serialised otherwise than as CDR.
    """
    try:
        return _read(serialised)
    except (struct.error, UnicodeDecodeError) as error:
        raise ObservationError(
            f'{len(serialised)} bytes are no serialised image: {error}'
        ) from error


def _read(serialised: bytes) -> ImageBytes:
    (kind,) = _KIND.unpack_from(serialised)
    if kind not in _KINDS:
        raise ObservationError(f'an image is serialised as kind {kind:#06x}, which is no CDR')
    cursor = _Cursor(serialised, '<' if kind % 2 else '>')
    header = Header(Stamp(cursor.number('i'), cursor.number('I')), cursor.text())
    height, width, encoding = cursor.number('I'), cursor.number('I'), cursor.text()
    is_bigendian, step = cursor.number('B'), cursor.number('I')
    return ImageBytes(header, height, width, encoding, is_bigendian, step, cursor.sequence())


class _Cursor:
    """Reads one value of a serialised message after the other."""

    def __init__(self, serialised: bytes, order: str) -> None:
        self._view = memoryview(serialised)[_KIND.size :]
        self._order, self._at = order, 0

    def number(self, kind: str) -> int:
        """Read a number of a kind of `struct`; it lies at a multiple of its size."""
        reader = struct.Struct(self._order + kind)
        self._at += -self._at % reader.size
        (value,) = reader.unpack_from(self._view, self._at)
        self._at += reader.size
        return int(value)

    def sequence(self) -> memoryview:
        """Read a sequence of bytes."""
        size = self.number('I')
        start, self._at = self._at, self._at + size
        if self._at > len(self._view):
            raise struct.error(f'{size} bytes at {start} go beyond the end')
        return self._view[start : self._at]

    def text(self) -> str:
        """Read a string, which ends with a zero."""
        return bytes(self.sequence()).rstrip(b'\0').decode()
