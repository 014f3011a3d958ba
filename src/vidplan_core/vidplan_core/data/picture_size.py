# SPDX-License-Identifier: Apache-2.0
"""Decodes compressed pictures that cameras can have taken: a few bytes can stand for gigabytes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

#: Five times what a camera of 4K gives; decoded, this takes 150 MB.
MOST_PIXELS = 50_000_000


def require_decodable(data: bytes) -> tuple[int, int, bool]:
    """Return height and width of a picture, and whether it is a jpeg.

    Raises:
        ValueError: more pixels than any camera has, or no header of a picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as picture:
                (width, height), jpeg = picture.size, picture.format == 'JPEG'
    except Image.DecompressionBombError:
        raise ValueError(f'more than {MOST_PIXELS} pixels') from None
    except OSError as error:
        raise ValueError('no header of a picture') from error
    if width * height > MOST_PIXELS:
        raise ValueError(f'{width} x {height} pixels, at most {MOST_PIXELS} are decoded')
    return height, width, jpeg


def decode_picture(
    data: bytes, flags: int, may_halve: Callable[[int, int], bool] | None = None
) -> np.ndarray:
    """Decode jpeg, png or what else OpenCV reads, by its flags.

    Args:
        data: compressed.
        flags: of cv2.imread.
        may_halve: says of a height and width whether half of each will do; a jpeg of these is
            decoded in less than half of the time then. None where it never will.

    Raises:
        ValueError: no such picture, cut short, or larger than cameras are.
    """
    height, width, jpeg = require_decodable(data)
    if jpeg and may_halve is not None and may_halve(height, width):
        flags |= cv2.IMREAD_REDUCED_GRAYSCALE_2
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ValueError(str(error).partition('\n')[0]) from error
    if decoded is None:
        raise ValueError('cut short')
    return decoded
