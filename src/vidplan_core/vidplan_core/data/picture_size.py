# SPDX-License-Identifier: Apache-2.0
"""Decodes compressed pictures that cameras can have taken: a few bytes can stand for gigabytes."""

from __future__ import annotations

import io
import warnings

import cv2
import numpy as np
from PIL import Image

#: Five times what a camera of 4K gives; decoded, this takes 150 MB.
MOST_PIXELS = 50_000_000


def require_decodable(data: bytes) -> None:
    """Raise ValueError for more pixels than any camera has, or what has no header of a picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as picture:
                width, height = picture.size
    except Image.DecompressionBombError:
        raise ValueError(f'more than {MOST_PIXELS} pixels') from None
    except OSError as error:
        raise ValueError('no header of a picture') from error
    if width * height > MOST_PIXELS:
        raise ValueError(f'{width} x {height} pixels, at most {MOST_PIXELS} are decoded')


def decode_picture(data: bytes, flags: int) -> np.ndarray:
    """Decode jpeg, png or what else OpenCV reads, by its flags.

    Raises:
        ValueError: no such picture, cut short, or larger than cameras are.
    """
    require_decodable(data)
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ValueError(str(error).partition('\n')[0]) from error
    if decoded is None:
        raise ValueError('cut short')
    return decoded
