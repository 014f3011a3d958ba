# SPDX-License-Identifier: Apache-2.0
"""Pictures of cameras from messages, raw or compressed."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from vidplan_core.data.image_messages import check_image, convert_own
from vidplan_core.errors import ObservationError

_AS_IT_IS = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def picture(message: Any, type_name: str) -> np.ndarray:
    """Return the picture of a message, rgb uint8 (height, width, 3).

    Raises:
        ObservationError: of another type, or it cannot be decoded.
    """
    kind = type_name.rpartition('/')[2]
    if kind == 'Image':
        check_image(message)
        return convert_own(message)
    if kind == 'CompressedImage':
        return decompressed(message)
    raise ObservationError(f'{type_name} is no picture: Image or CompressedImage is wanted')


def decompressed(message: Any) -> np.ndarray:
    """Return the picture of a sensor_msgs/CompressedImage, rgb uint8 (height, width, 3).

    Raises:
        ObservationError: neither jpeg nor png nor what else OpenCV reads, or cut short.
    """
    data = np.frombuffer(bytes(message.data), np.uint8)
    try:
        decoded = cv2.imdecode(data, _AS_IT_IS) if len(data) else None
    except cv2.error:
        decoded = None
    if decoded is None:
        raise ObservationError(
            f'{len(data)} bytes of format {message.format!r} are no jpeg or png picture'
        )
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
