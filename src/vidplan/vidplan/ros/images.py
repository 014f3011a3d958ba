# SPDX-License-Identifier: Apache-2.0
"""`sensor_msgs/Image` to arrays and back: cv_bridge where it works, our own lines elsewhere."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CompressedImage, Image

from vidplan_core.data.image_bytes import ImageBytes
from vidplan_core.data.image_messages import (
    check_image,
    convert_own,
    decompressed,
    view_or_convert,
)
from vidplan_core.errors import ObservationError

# Encoding of an array by (dtype, number of channels; 0: a plain (height, width) array).
_ENCODINGS = {('uint8', 3): 'rgb8', ('uint8', 0): 'mono8', ('float32', 0): '32FC1'}

# cv_bridge refuses to guess the colours of OpenCV's own formats, and rounds 16 bits otherwise.
_BRIDGED = ('rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8')


def load_cv_bridge() -> Callable[[Image], np.ndarray] | None:
    """Return a converter through cv_bridge, or None where it is missing or does not work.

    It is tried on one pixel, because an installed cv_bridge may still fail: its compiled part
    breaks with another major version of numpy, and ROS 1 has a package of the same name.
    """
    pixel = Image(height=1, width=1, encoding='bgr8', step=3, data=array.array('B', [1, 2, 3]))
    try:
        from cv_bridge import CvBridge

        bridge: Any = CvBridge()
        if bridge.imgmsg_to_cv2(pixel, 'rgb8').tolist() != [[[3, 2, 1]]]:
            return None
    except Exception:  # whatever its binary raises, our own lines do the work
        return None
    return lambda message: np.array(bridge.imgmsg_to_cv2(message, 'rgb8'), np.uint8, order='C')


_convert = load_cv_bridge() or convert_own


# What image_transport calls the topic of compressed pictures ends so.
_COMPRESSED = '/compressed'


def image_kind(topic: str) -> type:
    """Return the type of the pictures on a topic: CompressedImage or Image."""
    return CompressedImage if topic.endswith(_COMPRESSED) else Image


def picture_to_rgb(
    picture: ImageBytes | CompressedImage, may_halve: Callable[[int, int], bool] | None = None
) -> np.ndarray:
    """Return a picture as rgb uint8 (height, width, 3), to be read; raises ObservationError.

    Half its height and width where `may_halve` says of these that this will do, and it is faster.
    """
    if isinstance(picture, CompressedImage):
        return decompressed(picture, may_halve)
    check_image(picture)
    return view_or_convert(picture)


def image_to_rgb(message: Image | CompressedImage) -> np.ndarray:
    """Return the image as rgb uint8 (height, width, 3), a copy; raises ObservationError."""
    if isinstance(message, CompressedImage):
        return decompressed(message)
    check_image(message)
    return _convert(message) if message.encoding in _BRIDGED else convert_own(message)


def to_image(pixels: np.ndarray, stamp: Time | None = None, frame_id: str = '') -> Image:
    """Return an Image of uint8 (h, w, 3) as rgb8, uint8 (h, w) as mono8, float32 (h, w) as 32FC1.

    Raises ObservationError for any other array.
    """
    channels = {2: 0, 3: pixels.shape[-1]}.get(pixels.ndim, -1)
    encoding = _ENCODINGS.get((pixels.dtype.name, channels))
    if encoding is None:
        raise ObservationError(
            f'an array {pixels.shape} of {pixels.dtype} is no image: '
            'uint8 (h, w, 3), uint8 (h, w) or float32 (h, w) are'
        )
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
    message.header.frame_id = frame_id
    if stamp is not None:
        message.header.stamp = stamp
    message.is_bigendian = int(np.little_endian is False)
    message.step = pixels.shape[1] * max(channels, 1) * pixels.itemsize
    # Assigning bytes would be checked byte by byte; an array is taken as it is.
    message.data = array.array('B', np.ascontiguousarray(pixels).tobytes())
    return message
