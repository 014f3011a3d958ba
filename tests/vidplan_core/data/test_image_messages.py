# SPDX-License-Identifier: Apache-2.0
"""Every encoding of a camera gives the colours that were in front of it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from vidplan_core.data.image_messages import ENCODINGS, check_image, convert_own, decompressed
from vidplan_core.errors import ObservationError

HEIGHT, WIDTH = 8, 12
# Three fields of one colour each: shared and interpolated colours are right in their middles.
COLOURS = np.array([[200, 60, 40], [40, 180, 90], [70, 80, 210]], np.uint8)
SEEN = np.repeat(np.repeat(COLOURS[None], 4, 1), HEIGHT, 0)
MIDDLES = (slice(2, 6), [1, 2, 5, 6, 9, 10])


def message(encoding: str, rows: np.ndarray, padding: int = 0, big: int = 0) -> Any:
    wide = np.pad(rows.reshape(len(rows), -1), ((0, 0), (0, padding)), constant_values=7)
    return SimpleNamespace(
        height=HEIGHT, width=WIDTH, encoding=encoding, is_bigendian=big,
        step=wide.shape[1] * wide.itemsize, data=wide.tobytes(),
    )  # fmt: skip


def bayer(pattern: str) -> np.ndarray:
    """One number a pixel, as `pattern` (its first two rows) says which."""
    channels = np.array(['rgb'.index(name) for name in pattern]).reshape(2, 2)
    mosaic = np.tile(channels, (HEIGHT // 2, WIDTH // 2))
    return np.take_along_axis(SEEN, mosaic[..., None], 2)


def yuv() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Brightness (h, w), and the colours u and v (h/2, w/2) of every two by two pixels."""
    planes = cv2.cvtColor(SEEN, cv2.COLOR_RGB2YUV_I420)
    return (planes[:HEIGHT], *planes[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2))


def half_planar(first: int) -> np.ndarray:
    light, *colours = yuv()
    pairs = np.stack([colours[first], colours[1 - first]], -1)
    return np.concatenate([light, pairs.reshape(-1, WIDTH)])


def paired(order: str) -> np.ndarray:
    light, u, v = yuv()
    parts = {'y': light[:, ::2], 'Y': light[:, 1::2], 'u': u.repeat(2, 0), 'v': v.repeat(2, 0)}
    return np.stack([parts[name] for name in order], -1)


ALPHA = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
ROWS = {
    'rgb8': SEEN,
    'bgr8': SEEN[..., ::-1],
    'rgba8': np.concatenate([SEEN, ALPHA], -1),
    '8UC4': np.concatenate([SEEN[..., ::-1], ALPHA], -1),
    'yuyv': paired('yuYv'),
    'uyvy': paired('uyvY'),
    'nv12': half_planar(0),
    'nv21': half_planar(1),
    **{f'bayer_{pattern}8': bayer(pattern) for pattern in ('rggb', 'bggr', 'gbrg', 'grbg')},
}
DEEP = [name for name in ROWS if name.removesuffix('8') + '16' in ENCODINGS] + ['8UC4']


@pytest.mark.parametrize('padding', [0, 6], ids=['tight', 'padded'])
@pytest.mark.parametrize('encoding', ROWS)
def test_colours_are_those_that_were_seen(encoding: str, padding: int) -> None:
    made = message(encoding, ROWS[encoding], padding)
    check_image(made)
    found = convert_own(made)
    assert (found.shape, found.dtype) == (SEEN.shape, np.uint8)
    difference = found.astype(int) - SEEN
    assert np.abs(difference[MIDDLES]).max() <= 3


@pytest.mark.parametrize('big', [0, 1])
@pytest.mark.parametrize('encoding', DEEP)
def test_of_sixteen_bits_the_upper_eight_are_kept(encoding: str, big: int) -> None:
    name = '16UC4' if encoding == '8UC4' else encoding.removesuffix('8') + '16'
    deep = (ROWS[encoding].astype(np.uint16) * 256 + 99).astype('>u2' if big else '<u2')
    made = message(name, deep, 2, big)
    check_image(made)
    expected = convert_own(message(encoding, ROWS[encoding]))
    np.testing.assert_array_equal(convert_own(made), expected)


@pytest.mark.parametrize(
    ('encoding', 'changes', 'says'),
    [
        ('mono16', {}, 'depth or infrared'),
        ('nv24', {}, "'nv24' is not one of rgb8"),
        ('nv12', {'height': 7}, 'the height must be even; it is 7'),
        ('nv12', {'width': 11}, 'the width must be even; it is 11'),
        ('nv12', {'data': bytes(96)}, '96 bytes of data; step 12 x 12 rows make 144'),
        ('rgb16', {}, 'take 72 bytes'),
    ],
)
def test_what_is_no_picture_is_refused(
    encoding: str, changes: dict[str, Any], says: str
) -> None:
    made = message(encoding, ROWS['nv12'])
    vars(made).update(changes)
    with pytest.raises(ObservationError, match=says):
        check_image(made)


def png(width: int, height: int) -> bytes:
    """A picture by its header alone, as it says of itself."""
    parts = (b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)), (b'IDAT', b'')
    framed = [
        struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
        for name, data in parts
    ]
    return b'\x89PNG\r\n\x1a\n' + b''.join(framed)


def jpeg(width: int, height: int) -> bytes:
    """A small picture whose header says that it is another size."""
    data = bytearray(cv2.imencode('.jpg', SEEN)[1].tobytes())
    frame = data.index(b'\xff\xc0')
    data[frame + 5 : frame + 9] = struct.pack('>HH', height, width)
    return bytes(data)


@pytest.mark.parametrize('make', [png, jpeg])
@pytest.mark.parametrize(
    ('size', 'says'),
    [
        ((9_000, 9_000), '9000 x 9000 pixels, at most 50000000'),
        ((11_000, 11_000), '11000 x 11000 pixels'),
        ((60_000, 60_000), 'more than 50000000 pixels'),
    ],
)
def test_a_picture_larger_than_cameras_are_is_not_decoded(
    make: Callable[[int, int], bytes], size: tuple[int, int], says: str
) -> None:
    made = SimpleNamespace(data=make(*size), format=make.__name__)
    with pytest.raises(ObservationError, match=says):
        decompressed(made)


def test_the_size_of_a_camera_is_decoded() -> None:
    data = cv2.imencode('.png', cv2.cvtColor(SEEN, cv2.COLOR_RGB2BGR))[1].tobytes()
    assert np.array_equal(decompressed(SimpleNamespace(data=data, format='png')), SEEN)


@pytest.mark.parametrize(
    ('format', 'allowed', 'shape'),
    [('jpg', True, (4, 6)), ('jpg', False, (8, 12)), ('png', True, (8, 12))],
)
def test_a_jpeg_is_halved_where_that_will_do(
    format: str, allowed: bool, shape: tuple[int, int]
) -> None:
    asked = []

    def may_halve(height: int, width: int) -> bool:
        asked.append((height, width))
        return allowed

    data = cv2.imencode(f'.{format}', cv2.cvtColor(SEEN, cv2.COLOR_RGB2BGR))[1].tobytes()
    found = decompressed(SimpleNamespace(data=data, format=format), may_halve)
    assert found.shape == (*shape, 3)
    assert np.abs(found.mean((0, 1)) - SEEN.mean((0, 1))).max() < 6
    assert set(asked) <= {(8, 12)}
