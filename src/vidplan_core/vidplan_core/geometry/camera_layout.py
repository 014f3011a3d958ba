# SPDX-License-Identifier: Apache-2.0
"""Which views there are, in what order and size, and how they become one image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vidplan_core.errors import ConfigError, ObservationError

Image = NDArray[np.uint8]

MAX_VIEWS = 4
#: Stands for a lens that the driver tells.
CAMERA_INFO = 'camera_info'

# A picture so many times as wide and high as its slot is halved first, which is fast. Every half
# is rounded up where it is between two levels: an eighth of a level on average.
_LARGE = 3


@dataclass(frozen=True)
class CameraLayout:
    """Views stacked along height, each resized to `height` x `width` pixels.

    Attributes:
        views: their names, from top to bottom.
        height: of each view in the stitched image, pixels.
        width: of each view in the stitched image, pixels.
        topics: where images of a view are published, by view, if not on `<view>/image_raw`.
        lenses: by view, what tells the lens of pictures that are not rectified: `camera_info`, or
            a file of camera_calibration.
        focal: by view, focal lengths that rectified pictures shall have, in widths and heights;
            the lens's own where none are given.
    """

    views: tuple[str, ...]
    height: int
    width: int
    topics: Mapping[str, str] = field(default_factory=dict, hash=False)
    lenses: Mapping[str, str] = field(default_factory=dict, hash=False)
    focal: Mapping[str, tuple[float, float]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, 'views', tuple(self.views))
        if not 1 <= len(self.views) <= MAX_VIEWS or len(set(self.views)) != len(self.views):
            raise ConfigError(
                f'views must be distinct names, at least one and at most {MAX_VIEWS}; got '
                f'{self.views}'
            )
        if not all(view.isidentifier() for view in self.views):
            raise ConfigError(
                f'names of views are letters, digits and underscores, as in topics; got '
                f'{self.views}'
            )
        if self.height < 1 or self.width < 1:
            raise ConfigError(f'a view cannot be {self.height} x {self.width} pixels')
        for name in ('topics', 'lenses', 'focal'):
            if unknown := set(getattr(self, name)) - set(self.views):
                raise ConfigError(
                    f'{name} are given for {sorted(unknown)}; views are {self.views}'
                )
        if idle := set(self.focal) - set(self.lenses):
            raise ConfigError(
                f'focal is given for {sorted(idle)}, but no lens: only pictures whose lens is '
                f'named under lenses are brought to another focal length'
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a stitched image."""
        return len(self.views) * self.height, self.width, 3

    def topic(self, view: str) -> str:
        """Return the topic of a view's images, relative to the namespace unless it begins so."""
        return self.topics.get(view, f'{view}/image_raw')

    def resized(self, height: int, width: int) -> CameraLayout:
        """Return the same views in another size, pixels."""
        return replace(self, height=height, width=width)

    def stitch(self, images: Mapping[str, Image]) -> Image:
        """Stack the views, averaging areas when an image is larger than its slot.

        Args:
            images: by view name, uint8 (any height, any width, 3), rgb.

        Returns:
            uint8 (views * height, width, 3), rgb.

        Raises:
            ObservationError: a view is missing, or not a uint8 rgb image.
        """
        return np.concatenate([self.fit(view, images) for view in self.views])

    def split(self, stitched: Image) -> dict[str, Image]:
        """Return the views (height, width, 3) of a stitched image, by name."""
        if stitched.shape != self.shape:
            raise ObservationError(
                f'a stitched image must have shape {self.shape}, got {stitched.shape}'
            )
        return dict(zip(self.views, np.split(stitched, len(self.views)), strict=True))

    def fit(self, view: str, images: Mapping[str, Image]) -> Image:
        """Return one view in the size of its slot, (height, width, 3)."""
        if view not in images:
            raise ObservationError(f"no image of view '{view}'; have {sorted(images)}")
        image = images[view]
        check_image(view, image)
        if image.shape == (self.height, self.width, 3):
            return image
        if view in self.lenses:
            raise ObservationError(
                f"view '{view}' is rectified by the stitcher, by the lens that the layout names; "
                'what is recorded is not: record observations, or rectify before'
            )
        while self.may_halve(view, *image.shape[:2]):
            image = _averaged(image, image.shape[1] // 2, image.shape[0] // 2)
        return _averaged(image, self.width, self.height)

    def may_halve(self, view: str, height: int, width: int) -> bool:
        """Whether half the height and width of a picture are enough for its slot."""
        even = height % 2 == width % 2 == 0
        large = height >= _LARGE * self.height and width >= _LARGE * self.width
        return even and large and view not in self.lenses


def _averaged(image: Image, width: int, height: int) -> Image:
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, dtype=np.uint8)


def check_image(view: str, image: object) -> None:
    """Raise ObservationError unless `image` is a uint8 array (height, width, 3)."""
    if not isinstance(image, np.ndarray):
        raise ObservationError(f"view '{view}' must be an array, got {type(image).__name__}")
    if image.dtype != np.uint8:
        raise ObservationError(f"view '{view}' must be uint8 rgb (0 .. 255), got {image.dtype}")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ObservationError(
            f"view '{view}' must have shape (height, width, 3), got {image.shape}"
        )
