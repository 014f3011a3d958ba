# SPDX-License-Identifier: Apache-2.0
"""`sensor_msgs/Image` to rgb, whoever made the message: ROS, or rosbags from a bag without ROS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from vidplan_core.data.picture_size import decode_picture
from vidplan_core.errors import ObservationError


@dataclass(frozen=True)
class Encoding:
    """How the pixels of a picture lie in its bytes.

    Attributes:
        numbers: for each pixel of a row.
        order: places of red, green and blue among them, where nothing is to be decoded.
        code: of cv2.cvtColor, which makes rgb of the others.
        deep: every number has two bytes.
        paired: neighbouring pixels share their colours, so that there must be an even number.
        planar: rows of colours, half as many, follow those of brightness.
    """

    numbers: int
    order: tuple[int, ...] = ()
    code: int = -1
    deep: bool = False
    paired: bool = False
    planar: bool = False

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one pixel in a row."""
        return self.numbers * (2 if self.deep else 1)

    def rows(self, height: int) -> int:
        """Rows in the data of a picture of so many pixels' height."""
        return height * 3 // 2 if self.planar else height


_AS_IT_IS = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION

_ORDERS = {
    'rgb': (0, 1, 2),
    'bgr': (2, 1, 0),
    'rgba': (0, 1, 2),
    'bgra': (2, 1, 0),
}
# Codes of cv2.cvtColor that make rgb of an order of colours, by numbers of a pixel.
_REORDERED = {
    (2, 1, 0): {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB},
    (0, 1, 2): {4: cv2.COLOR_RGBA2RGB},
    (0, 0, 0): {1: cv2.COLOR_GRAY2RGB},
}
# OpenCV names a Bayer pattern by its second row and column, ROS by its first.
_BAYER = {
    'bayer_rggb': cv2.COLOR_BayerBG2RGB,
    'bayer_bggr': cv2.COLOR_BayerRG2RGB,
    'bayer_gbrg': cv2.COLOR_BayerGR2RGB,
    'bayer_grbg': cv2.COLOR_BayerGB2RGB,
}
_YUV_422 = {
    'yuv422': cv2.COLOR_YUV2RGB_UYVY,
    'uyvy': cv2.COLOR_YUV2RGB_UYVY,
    'yuv422_yuy2': cv2.COLOR_YUV2RGB_YUY2,
    'yuyv': cv2.COLOR_YUV2RGB_YUY2,
}
_YUV_420 = {'nv12': cv2.COLOR_YUV2RGB_NV12, 'nv21': cv2.COLOR_YUV2RGB_NV21}


def _of_depth(bits: str, *, deep: bool) -> dict[str, Encoding]:
    """Encodings of which a camera has one of 8 and one of 16 bits."""
    colours = {
        f'{name}{bits}': Encoding(len(name), order, deep=deep) for name, order in _ORDERS.items()
    }
    # OpenCV's own order, as cv_bridge publishes it.
    own = {f'{bits}UC{count}': Encoding(count, (2, 1, 0), deep=deep) for count in (3, 4)}
    bayer = {f'{name}{bits}': Encoding(1, code=code, deep=deep) for name, code in _BAYER.items()}
    return colours | own | bayer


ENCODINGS = {
    **_of_depth('8', deep=False),
    **{name: Encoding(1, (0, 0, 0)) for name in ('mono8', '8UC1')},
    **{name: Encoding(2, code=code, paired=True) for name, code in _YUV_422.items()},
    **{name: Encoding(1, code=code, paired=True, planar=True) for name, code in _YUV_420.items()},
    **_of_depth('16', deep=True),
}
# Depth cameras publish distances so, and what is grey in 16 bits has no fixed range.
_DEPTH = ('mono16', '16UC1', '32FC1')


def check_image(message: Any) -> None:
    """Raise ObservationError unless the message holds a whole image of a known encoding."""
    encoding = _known(message.encoding)
    width, height = message.width, message.height
    if height == 0 or width == 0:
        raise ObservationError(f'image of {width} x {height} pixels: both must be above 0')
    if encoding.paired and width % 2:
        raise ObservationError(
            f'encoding {message.encoding!r} has colours for two pixels at a time, so that the '
            f'width must be even; it is {width}'
        )
    if encoding.planar and height % 2:
        raise ObservationError(
            f'encoding {message.encoding!r} has colours for two rows at a time, so that the '
            f'height must be even; it is {height}'
        )
    if message.step < width * encoding.pixel_bytes:
        raise ObservationError(
            f'step {message.step} is shorter than a row: {width} pixels of '
            f'{message.encoding} take {width * encoding.pixel_bytes} bytes'
        )
    rows = encoding.rows(height)
    if len(message.data) != message.step * rows:
        raise ObservationError(
            f'{len(message.data)} bytes of data; step {message.step} x {rows} rows '
            f'make {message.step * rows}'
        )


def convert_own(message: Any) -> np.ndarray:
    """Return a checked image as rgb uint8 (height, width, 3), a copy, without cv_bridge.

    Of 16 bits the upper 8 are kept.
    """
    return np.require(view_or_convert(message), requirements=['C', 'OWNDATA', 'WRITEABLE'])


def view_or_convert(message: Any) -> np.ndarray:
    """Like `convert_own`, but without a copy of what is rgb8: then for reading only."""
    encoding = ENCODINGS[message.encoding]
    rows = encoding.rows(message.height)
    numbers = np.frombuffer(message.data, np.uint8).reshape(rows, message.step)
    numbers = numbers[:, : message.width * encoding.pixel_bytes]
    if encoding.deep:
        numbers = numbers[:, 0 if message.is_bigendian else 1 :: 2]
    pixels = numbers.reshape(rows, message.width, encoding.numbers)
    if not encoding.order:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), encoding.code))
    if encoding == ENCODINGS['rgb8']:
        return np.ascontiguousarray(pixels)
    if not encoding.deep and encoding.order in _REORDERED:  # ten times as fast as by indices
        code = _REORDERED[encoding.order][encoding.numbers]
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), code))
    return np.ascontiguousarray(pixels[:, :, list(encoding.order)])


def _known(name: str) -> Encoding:
    if name in _DEPTH:
        raise ObservationError(
            f'encoding {name!r} is that of depth or infrared, no picture in colours'
        )
    if name not in ENCODINGS:
        raise ObservationError(f'encoding {name!r} is not one of {", ".join(ENCODINGS)}')
    return ENCODINGS[name]


def decompressed(
    message: Any, may_halve: Callable[[int, int], bool] | None = None
) -> np.ndarray:
    """Return the picture of a sensor_msgs/CompressedImage, rgb uint8 (height, width, 3).

    Args:
        message: the compressed picture.
        may_halve: see `decode_picture`.

    Raises:
        ObservationError: neither jpeg nor png nor what else OpenCV reads, cut short, or larger
            than cameras are.
    """
    data = bytes(message.data)
    try:
        decoded = decode_picture(data, _AS_IT_IS, may_halve)
    except ValueError as error:
        raise ObservationError(
            f'{len(data)} bytes of format {message.format!r} are no jpeg or png picture: {error}'
        ) from error
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
