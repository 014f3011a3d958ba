# SPDX-License-Identifier: Apache-2.0
"""Pictures of cameras from messages, raw or compressed."""

from __future__ import annotations

from typing import Any

import numpy as np

from vidplan_core.data.image_messages import check_image, convert_own, decompressed
from vidplan_core.errors import ObservationError


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
