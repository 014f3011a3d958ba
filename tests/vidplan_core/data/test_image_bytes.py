# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import numpy as np
import pytest

from vidplan_core.data.image_bytes import read_image
from vidplan_core.data.image_messages import view_or_convert
from vidplan_core.errors import ObservationError

PIXELS = bytes(range(2 * 3 * 3))


def serialised(order: str = '<', kind: int = 1, frame: bytes = b'left\0') -> bytes:
    """An Image of 2 x 3 pixels as CDR lays it out: numbers at multiples of their size."""

    def text(letters: bytes) -> bytes:
        return struct.pack(f'{order}I', len(letters)) + letters + b'\xee' * (-len(letters) % 4)

    head = struct.pack(f'{order}iI', -5, 7) + text(frame)
    sizes = struct.pack(f'{order}II', 2, 3) + text(b'rgb8\0')[:-3]
    body = head + sizes + b'\0'
    body += b'\xee' * (-len(body) % 4) + struct.pack(f'{order}II', 9, len(PIXELS)) + PIXELS
    return struct.pack('>Hxx', kind) + body


@pytest.mark.parametrize(
    ('order', 'kind'), [('<', 1), ('>', 0), ('<', 7)], ids=['little', 'big', 'second kind']
)
@pytest.mark.parametrize('frame', [b'left\0', b'\0', b'camera\0', b''], ids=len)
def test_fields_are_read_in_place(order: str, kind: int, frame: bytes) -> None:
    data = serialised(order, kind, frame)
    image = read_image(data)
    assert (image.header.stamp, image.header.frame_id.encode()) == ((-5, 7), frame[:-1])
    assert (image.height, image.width, image.step) == (2, 3, 9)
    assert (image.encoding, image.is_bigendian) == ('rgb8', 0)
    rgb = view_or_convert(image)
    assert rgb.tobytes() == PIXELS
    assert np.shares_memory(rgb, np.frombuffer(data, np.uint8))
    assert not rgb.flags.writeable


@pytest.mark.parametrize('count', range(len(serialised())))
def test_what_is_cut_short_is_refused(count: int) -> None:
    with pytest.raises(ObservationError, match='are no serialised image|which is no CDR'):
        read_image(serialised()[:count])


@pytest.mark.parametrize(
    ('data', 'says'),
    [
        (serialised(kind=3), 'kind 0x0003, which is no CDR'),
        (serialised(frame=b'\xff\xfe\0'), 'no serialised image'),
        (serialised()[:12] + b'\xff' * 40, 'go beyond the end'),
    ],
    ids=['parameter list', 'no text', 'huge text'],
)
def test_what_is_no_image_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(ObservationError, match=says):
        read_image(data)
