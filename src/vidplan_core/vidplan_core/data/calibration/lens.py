# SPDX-License-Identifier: Apache-2.0
"""Lenses of cameras as `sensor_msgs/CameraInfo` describes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from vidplan_core.errors import ConfigError

Array = NDArray[np.float64]

#: Numbers of coefficients that a model of distortion has.
MODELS = {'plumb_bob': (0, 4, 5), 'rational_polynomial': (8,), 'equidistant': (0, 4)}
# A principal point lies within this share of the picture from its middle.
_OFF_MIDDLE = 0.25


@dataclass(frozen=True)
class Lens:
    """A lens, in pixels of the pictures that it was measured on.

    The middle of the pixel in the upper left corner is (0, 0), as in OpenCV and camera_info.

    Attributes:
        width, height: of the pictures, pixels.
        focal: along x and y, pixels.
        centre: where the optical axis meets the picture, pixels.
        model: of the distortion: plumb_bob, rational_polynomial or equidistant (a fisheye).
        distortion: its coefficients, in the order of camera_info; none for none.
    """

    width: int
    height: int
    focal: tuple[float, float]
    centre: tuple[float, float]
    model: str = 'plumb_bob'
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ConfigError(
                f'distortion model {self.model!r} is not one of {", ".join(MODELS)}; a driver '
                'that publishes rectified pictures needs none'
            )
        if len(self.distortion) not in MODELS[self.model]:
            counts = ' or '.join(str(count) for count in MODELS[self.model])
            raise ConfigError(
                f'{self.model} has {counts} coefficients, not {len(self.distortion)}'
            )
        numbers = *self.focal, *self.centre, *self.distortion
        if min(self.width, self.height) < 1 or not np.isfinite(numbers).all():
            raise ConfigError(f'a lens needs a size in pixels and finite numbers, got {self}')
        if min(self.focal) <= 0.0:
            raise ConfigError(
                f'focal lengths are {self.focal[0]:g} and {self.focal[1]:g} pixels: the camera is '
                'not calibrated (camera_info has zeros); calibrate it or give its lens'
            )
        off = abs(self.centre[0] / self.width - 0.5), abs(self.centre[1] / self.height - 0.5)
        if max(off) > _OFF_MIDDLE:
            raise ConfigError(
                f'the principal point {self.centre[0]:.0f}, {self.centre[1]:.0f} is far from the '
                f'middle of {self.width} x {self.height} pixels: is it that of another resolution?'
            )

    @classmethod
    def ideal(cls, width: int, height: int, focal: Sequence[float]) -> Lens:
        """Return one without distortion, its axis in the middle; focal in widths and heights."""
        lengths = focal[0] * width, focal[1] * height
        return cls(width, height, lengths, ((width - 1) / 2, (height - 1) / 2))

    @property
    def matrix(self) -> Array:
        """Pinhole matrix (3, 3), pixels."""
        (fx, fy), (cx, cy) = self.focal, self.centre
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])

    @property
    def is_distorted(self) -> bool:
        """Whether straight lines are bent."""
        return any(self.distortion)

    @property
    def relative_focal(self) -> tuple[float, float]:
        """Focal lengths in widths and heights of the picture."""
        return self.focal[0] / self.width, self.focal[1] / self.height

    def require_size(self, width: int, height: int) -> None:
        """Raise ConfigError for pictures of another size than those that it was measured on."""
        if (width, height) != (self.width, self.height):
            raise ConfigError(
                f'the lens was measured on {self.width} x {self.height} pixels, the pictures have '
                f'{width} x {height}: give the lens of that resolution'
            )

    def straightened(self, places: Array) -> Array:
        """Return where places (N, 2) of a picture would be without distortion, pixels."""
        if not self.is_distorted:
            return places
        points = np.ascontiguousarray(places, np.float64).reshape(-1, 1, 2)
        straight: Any = cv2.undistortPoints
        if self.model == 'equidistant':
            straight = cv2.fisheye.undistortPoints
        found = straight(points, self.matrix, np.array(self.distortion), P=self.matrix)
        return np.asarray(found, np.float64).reshape(-1, 2)


def load_lens(path: Path) -> Lens:
    """Read a lens from a file of camera_calibration (`camera_name.yaml`).

    Raises:
        ConfigError: no such file, or it lacks something; names the file and what.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding='utf-8'))
        k = [float(number) for number in values['camera_matrix']['data']]
        distortion = [float(n) for n in values['distortion_coefficients']['data']]
        size = int(values['image_width']), int(values['image_height'])
        model = str(values.get('distortion_model', 'plumb_bob'))
        return lens_of(*size, k, model, distortion)
    except ConfigError as error:
        raise ConfigError(f'{path}: {error}') from error
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f'{path} is no lens as camera_calibration writes it (image_width, image_height, '
            f'camera_matrix, distortion_model, distortion_coefficients): {error!r}'
        ) from error


def lens_of(
    width: int, height: int, k: Sequence[float], model: str, distortion: Sequence[float]
) -> Lens:
    """Return the lens of the values of a camera_info.

    Args:
        width, height: pixels.
        k: the 9 numbers of its matrix, row by row.
        model: of the distortion; '' for none.
        distortion: coefficients.

    Raises:
        ConfigError: they cannot be.
    """
    if len(k) != 9:
        raise ConfigError(f'the matrix of a camera has 9 numbers, not {len(k)}')
    coefficients = tuple(float(number) for number in distortion)
    if not any(coefficients):
        model, coefficients = 'plumb_bob', ()
    return Lens(width, height, (k[0], k[4]), (k[2], k[5]), model, coefficients)
