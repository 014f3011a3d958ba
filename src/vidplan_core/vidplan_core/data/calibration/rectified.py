# SPDX-License-Identifier: Apache-2.0
"""Pictures of a lens with distortion and an axis off the middle, as an ideal camera's."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vidplan_core.data.calibration.lens import Lens
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.camera_layout import Image

Array = NDArray[np.float64]

# So much of a picture may lie outside of what the camera shows; it gets the colour of the edge.
_MOST_OUTSIDE = 0.02
# A camera that shows more, by so small steps, is looked for where one shows too little.
_STEP, _STEPS = 1.01, 120


class Rectifier:
    """Maps pictures of one lens to those of a camera without distortion, its axis in the middle.

    That is the camera which `cameras.json` and the world model know. The map is made once; where
    the picture is much larger than what is made of it, areas are averaged before and after.
    """

    def __init__(
        self, lens: Lens, height: int, width: int, focal: tuple[float, float] | None = None
    ) -> None:
        """Make the map.

        Args:
            lens: of the camera.
            height, width: of the pictures that are wanted, pixels.
            focal: of the camera that is wanted, in widths and heights of the picture; None for
                the lens's own.

        Raises:
            ConfigError: the camera shows too little of what is wanted; names what it shows.
        """
        self._lens, self._size = lens, (width, height)
        self.focal = focal or lens.relative_focal
        if min(self.focal) <= 0.0:
            raise ConfigError(f'focal lengths must be above 0, got {self.focal}')
        outside = _outside(lens, _places(lens, 96, 160, self.focal))
        if outside > _MOST_OUTSIDE:
            raise ConfigError(_too_wide(lens, self.focal, outside))
        # Of a picture that is much too large, areas of so many pixels are averaged first.
        self._shrink = max(1, min(lens.width // (2 * width), lens.height // (2 * height)))
        self._fine = 2 if lens.width >= 2 * width and lens.height >= 2 * height else 1
        places = _places(lens, self._fine * height, self._fine * width, self.focal)
        places = (places + 0.5) / self._shrink - 0.5
        self._map = cv2.convertMaps(
            places[..., 0].astype(np.float32), places[..., 1].astype(np.float32), cv2.CV_16SC2
        )

    def apply(self, image: Image) -> Image:
        """Return the picture (height, width, 3) that the wanted camera would take.

        Raises:
            ConfigError: the picture is not of the lens's size.
        """
        self._lens.require_size(image.shape[1], image.shape[0])
        if self._shrink > 1:
            size = self._lens.width // self._shrink, self._lens.height // self._shrink
            # Rows and columns that are left over would change the scale.
            image = image[: size[1] * self._shrink, : size[0] * self._shrink]
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        mapped = cv2.remap(
            image, *self._map, interpolation=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        if self._fine > 1:
            mapped = cv2.resize(mapped, self._size, interpolation=cv2.INTER_AREA)
        return np.asarray(mapped, np.uint8)


def _places(lens: Lens, height: int, width: int, focal: tuple[float, float]) -> Array:
    """Where the pixels of the wanted picture are in the lens's own, (height, width, 2)."""
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    rays = np.stack([(x - 0.5) / focal[0], (y - 0.5) / focal[1]], axis=-1).reshape(-1, 1, 2)
    distortion = np.array(lens.distortion or (0.0,) * 4)
    if lens.model == 'equidistant':
        found = cv2.fisheye.distortPoints(rays, lens.matrix, distortion)
    else:
        points = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1)
        found = cv2.projectPoints(points, np.zeros(3), np.zeros(3), lens.matrix, distortion)[0]
    return np.asarray(found, np.float64).reshape(height, width, 2)


def _outside(lens: Lens, places: Array) -> float:
    """Share of places that the lens's picture does not show."""
    beyond = (places < -0.5) | (places > np.array([lens.width, lens.height]) - 0.5)
    return float(beyond.any(axis=-1).mean())


def _too_wide(lens: Lens, focal: tuple[float, float], outside: float) -> str:
    scale = 1.0
    for _ in range(_STEPS):
        scale *= _STEP
        shown = scale * focal[0], scale * focal[1]
        if _outside(lens, _places(lens, 96, 160, shown)) <= _MOST_OUTSIDE:
            wanted = f'it shows all of focal: [{shown[0]:.3f}, {shown[1]:.3f}]'
            break
    else:
        wanted = 'is it the lens of this camera?'
    return (
        f'the camera does not show {outside:.0%} of a picture of focal lengths {focal[0]:.3f} '
        f'widths and {focal[1]:.3f} heights (principal point {lens.centre[0]:.0f}, '
        f'{lens.centre[1]:.0f} of {lens.width} x {lens.height}, {lens.model}); {wanted}'
    )
