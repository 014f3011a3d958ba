# SPDX-License-Identifier: Apache-2.0
"""What the planner sees: stitched views and the freshness barrier."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vidplan_core.errors import ConfigError, ObservationError
from vidplan_core.geometry.camera_layout import Image, check_image

Vector = NDArray[np.float64]

SAMPLED = 48  # rows or columns that are tested for contrast


def check_contrast(view: str, image: Image, least: float) -> None:
    """Raise ObservationError when an image shows nothing: a covered lens, a dead sensor.

    Args:
        view: its name.
        image: uint8 (height, width, 3).
        least: standard deviation of its levels, 0 .. 255, that counts as showing something.
    """
    stride = max(1, min(image.shape[:2]) // SAMPLED)
    # Five times as fast as numpy's.
    _, deviations = cv2.meanStdDev(np.ascontiguousarray(image[::stride, ::stride]))
    found = float(deviations.max())
    if found < least:
        raise ObservationError(
            f"view '{view}' shows nothing: its levels differ by {found:.1f} only, a scene's by "
            f'{least:.1f} at least; is the lens covered?'
        )


@dataclass(frozen=True, eq=False)
class Observation:
    """One synchronous look at the cell; the pose is the flange's in the robot base frame.

    Attributes:
        stamp_s: when the images were taken, s.
        image: stitched views, uint8 (views * height, width, 3), rgb.
        q: joint angles (7,), rad.
        dq: joint velocities (7,), rad/s.
        closedness: gripper, 0 open .. 1 closed.
        position: flange (3,), m.
        quaternion: flange (4,), xyzw.
    """

    stamp_s: float
    image: Image
    q: Vector
    dq: Vector
    closedness: float
    position: Vector
    quaternion: Vector

    def __post_init__(self) -> None:
        sizes = {'q': 7, 'dq': 7, 'position': 3, 'quaternion': 4}
        for name, size in sizes.items():
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.shape != (size,) or not np.isfinite(values).all():
                raise ObservationError(f'{name} must be {size} finite numbers, got {values}')
            object.__setattr__(self, name, values)
        if not np.isfinite([self.stamp_s, self.closedness]).all():
            raise ObservationError(
                f'stamp_s and closedness must be finite, got {self.stamp_s}, {self.closedness}'
            )


@dataclass(frozen=True, eq=False)
class SynchronousImages:
    """Images of all views taken within the allowed skew; `stamp_s` is the oldest one's."""

    stamp_s: float
    skew_s: float
    images: dict[str, Image]
    stamps_s: dict[str, float]


class CameraSynchroniser:
    """The freshness barrier: lets a set of images through only when it is one moment in time."""

    def __init__(
        self, views: Sequence[str], max_skew_s: float, max_age_s: float, depth: int = 8
    ) -> None:
        """Expect these views, taken within `max_skew_s` of each other, at most `max_age_s` ago.

        `depth` images are kept per view, so that views may arrive late by that many frames.
        """
        if not views or max_skew_s < 0 or max_age_s <= 0 or depth < 1:
            raise ConfigError(
                'needs at least one view, max_skew_s >= 0, max_age_s > 0 and depth >= 1; got '
                f'{list(views)}, {max_skew_s}, {max_age_s}, {depth}'
            )
        self._max_skew_s = max_skew_s
        self._max_age_s = max_age_s
        self._seen: dict[str, deque[tuple[float, Image]]] = {
            view: deque(maxlen=depth) for view in views
        }

    def push(self, view: str, stamp_s: float, image: Image) -> None:
        """Take in one image; a stamp that runs backwards makes its view start over.

        Raises:
            ObservationError: an unknown view, or not a uint8 rgb image, or a stamp not finite.
        """
        if view not in self._seen:
            raise ObservationError(f"unknown view '{view}'; expected {sorted(self._seen)}")
        if not np.isfinite(stamp_s):
            raise ObservationError(f"view '{view}' has the stamp {stamp_s}, not a time")
        check_image(view, image)
        seen = self._seen[view]
        if seen and stamp_s < seen[-1][0]:
            seen.clear()
        seen.append((stamp_s, image))

    def take(self, now_s: float) -> SynchronousImages:
        """Return the newest synchronous set.

        Raises:
            ObservationError: names the view that is missing, stale, from the future or askew.
        """
        self._check_ages(now_s)
        pivot_s = min(seen[-1][0] for seen in self._seen.values())
        chosen = {
            view: min(seen, key=lambda entry: abs(entry[0] - pivot_s))
            for view, seen in self._seen.items()
        }
        stamps = {view: entry[0] for view, entry in chosen.items()}
        oldest, latest = min(stamps, key=stamps.__getitem__), max(stamps, key=stamps.__getitem__)
        skew_s = stamps[latest] - stamps[oldest]
        if skew_s > self._max_skew_s:
            raise ObservationError(
                f"views '{oldest}' and '{latest}' are {skew_s:.3f} s apart, "
                f'allowed {self._max_skew_s:.3f} s'
            )
        images = {view: entry[1] for view, entry in chosen.items()}
        return SynchronousImages(stamps[oldest], skew_s, images, stamps)

    def _check_ages(self, now_s: float) -> None:
        missing = [view for view, seen in self._seen.items() if not seen]
        if missing:
            raise ObservationError(f'no image yet of: {", ".join(missing)}')
        for view, seen in self._seen.items():
            age_s = now_s - seen[-1][0]
            if age_s > self._max_age_s:
                raise ObservationError(
                    f"view '{view}' is stale: its newest image is {age_s:.3f} s old, "
                    f'allowed {self._max_age_s:.3f} s'
                )
            if age_s < -self._max_age_s:
                raise ObservationError(
                    f"view '{view}' is stamped {-age_s:.3f} s in the future; are the clocks set?"
                )
