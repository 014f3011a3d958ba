# SPDX-License-Identifier: Apache-2.0
"""Printed square tags (ArUco, AprilTag): to print one, and to find it in pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidplan_core.errors import ConfigError
from vidplan_core.geometry.camera_layout import Image

Array = NDArray[np.float64]

FAMILIES = {
    name.removeprefix('DICT_').lower(): getattr(cv2.aruco, name)
    for name in (
        'DICT_4X4_50', 'DICT_5X5_100', 'DICT_6X6_250', 'DICT_APRILTAG_16h5',
        'DICT_APRILTAG_25h9', 'DICT_APRILTAG_36h11',
    )
}  # fmt: skip
DEFAULT_FAMILY = 'apriltag_36h11'


@dataclass(frozen=True)
class Tag:
    """A printed tag.

    Attributes:
        size_m: length of a side of its black square, m.
        number: which of its family.
        family: a name of `FAMILIES`.
    """

    size_m: float
    number: int = 0
    family: str = DEFAULT_FAMILY

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ConfigError(
                f'no family of tags {self.family!r}; there are {", ".join(FAMILIES)}'
            )
        count = len(self._dictionary.bytesList)
        if not 0 <= self.number < count:
            raise ConfigError(f'{self.family} has tags 0 .. {count - 1}, not {self.number}')
        if not 0.0 < self.size_m < 1.0:
            raise ConfigError(f'the side of a tag is {self.size_m:g} m: say metres, as 0.05')

    @property
    def _dictionary(self) -> Any:
        return cv2.aruco.getPredefinedDictionary(FAMILIES[self.family])

    @property
    def corners_m(self) -> Array:
        """Corners (4, 3) in its own frame, m: x right, y up, z towards who reads it."""
        half = self.size_m / 2
        return half * np.array([[-1, 1, 0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]], np.float64)

    def picture(self, pixels: int, margin: int) -> Image:
        """Return the tag as it is printed, uint8 (side, side, 3), with a white margin, pixels."""
        # OpenCV 4.6, as Ubuntu 24.04 has it, names things otherwise.
        aruco: Any = cv2.aruco
        draw = getattr(aruco, 'generateImageMarker', None) or aruco.drawMarker
        black = draw(self._dictionary, self.number, pixels)
        framed = cv2.copyMakeBorder(
            black, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=255
        )
        return np.asarray(np.repeat(framed[..., None], 3, axis=2), np.uint8)

    def find(self, image: Image) -> Array | None:
        """Return where its corners (4, 2) are in a picture, pixels; None where it is not seen.

        Args:
            image: uint8 (height, width, 3), rgb.
        """
        found, numbers = self._detected(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        seen = [] if numbers is None else np.ravel(numbers).tolist()
        if seen.count(self.number) != 1:  # a reflection, or another print of it
            return None
        return np.asarray(found[seen.index(self.number)], np.float64).reshape(4, 2)

    def _detected(self, grey: Any) -> tuple[Any, Any]:
        """Corners and numbers of all tags of the family."""
        aruco: Any = cv2.aruco
        if hasattr(aruco, 'ArucoDetector'):
            parameters = aruco.DetectorParameters()
            parameters.cornerRefinementMethod = aruco.CORNER_REFINE_SUBPIX
            found, numbers, _ = aruco.ArucoDetector(self._dictionary, parameters).detectMarkers(
                grey
            )
        else:  # OpenCV 4.6
            parameters = aruco.DetectorParameters_create()
            parameters.cornerRefinementMethod = aruco.CORNER_REFINE_SUBPIX
            found, numbers, _ = aruco.detectMarkers(grey, self._dictionary, parameters=parameters)
        return found, numbers
