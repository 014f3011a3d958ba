# SPDX-License-Identifier: Apache-2.0
"""Messages to arrays, whoever made the messages: ROS, or rosbags from a bag without ROS."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidplan_core.errors import ObservationError

Vector = NDArray[np.float64]

_NANOSECONDS = 1_000_000_000

#: A gripper is measured so far beyond its ends, as a share of its way; more is another unit.
BEYOND_ENDS = 0.3

# Index of red, green and blue among the channels of each encoding.
_RGB_CHANNELS = {
    'rgb8': (0, 1, 2),
    'bgr8': (2, 1, 0),
    '8UC3': (2, 1, 0),  # OpenCV's own order, as cv_bridge publishes it
    'rgba8': (0, 1, 2),
    'bgra8': (2, 1, 0),
    'mono8': (0, 0, 0),
    '8UC1': (0, 0, 0),
}
# OpenCV names a Bayer pattern by its second row and column, ROS by its first.
_DECODED = {
    'bayer_rggb8': cv2.COLOR_BayerBG2RGB,
    'bayer_bggr8': cv2.COLOR_BayerRG2RGB,
    'bayer_gbrg8': cv2.COLOR_BayerGR2RGB,
    'bayer_grbg8': cv2.COLOR_BayerGB2RGB,
    'yuv422': cv2.COLOR_YUV2RGB_UYVY,
    'uyvy': cv2.COLOR_YUV2RGB_UYVY,
    'yuv422_yuy2': cv2.COLOR_YUV2RGB_YUY2,
    'yuyv': cv2.COLOR_YUV2RGB_YUY2,
}
_CHANNELS = {
    'rgb8': 3, 'bgr8': 3, '8UC3': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1, '8UC1': 1,
    'bayer_rggb8': 1, 'bayer_bggr8': 1, 'bayer_gbrg8': 1, 'bayer_grbg8': 1,
    'yuv422': 2, 'uyvy': 2, 'yuv422_yuy2': 2, 'yuyv': 2,
}  # fmt: skip


# Two neighbouring pixels share their colours.
_PAIRED = frozenset(name for name, channels in _CHANNELS.items() if channels == 2)


def seconds(stamp: Any) -> float:
    """Return a stamp or duration as seconds."""
    return stamp.sec + stamp.nanosec / _NANOSECONDS


def pose_arrays(poses: Iterable[Any]) -> tuple[Vector, Vector]:
    """Return positions (F, 3) in m and quaternions (F, 4) xyzw, as they are in the messages."""
    rows = [
        (
            p.position.x,
            p.position.y,
            p.position.z,
            p.orientation.x,
            p.orientation.y,
            p.orientation.z,
            p.orientation.w,
        )
        for p in poses
    ]
    table = np.array(rows, np.float64).reshape(-1, 7)
    return table[:, :3], table[:, 3:]


def joint_values(message: Any, names: Sequence[str], field: str = 'position') -> Vector:
    """Return `position` or `velocity` of the named joints, in that order.

    Raises:
        ObservationError: a joint is missing, has no such value, or one that is not finite.
    """
    given = getattr(message, field)
    missing = [name for name in names if name not in message.name]
    if missing:
        raise ObservationError(
            f'joint state lacks {", ".join(missing)}; it has {", ".join(message.name) or "none"}'
        )
    if len(given) != len(message.name):
        raise ObservationError(
            f'joint state has {len(message.name)} names and {len(given)} values of {field}'
        )
    values = np.array([given[message.name.index(name)] for name in names], np.float64)
    for name, value in zip(names, values, strict=True):
        if not np.isfinite(value):
            raise ObservationError(f'{field} of {name} is {value}')
    return values


def closedness(
    message: Any, names: Sequence[str], open_position: float, closed_position: float
) -> float:
    """Return how closed the gripper is, 0 open .. 1 closed, from the mean of its joints.

    Positions are those of the joints when open and closed: 0.04 and 0 m for a Franka finger,
    0 and 0.7929 rad for a Robotiq knuckle. Raises ObservationError like `joint_values` and
    `closedness_of`.
    """
    mean = float(joint_values(message, names).mean())
    return closedness_of(mean, open_position, closed_position)


def closedness_of(position: float, open_position: float, closed_position: float) -> float:
    """Return how closed a gripper at `position` is, 0 open .. 1 closed.

    Raises:
        ObservationError: not finite, or far beyond both ends: another unit, or another gripper.
    """
    closed = (position - open_position) / (closed_position - open_position)
    if not -BEYOND_ENDS <= closed <= 1.0 + BEYOND_ENDS:
        raise ObservationError(
            f'the gripper is at {position:.4g}, far beyond its ends {open_position:g} (open) and '
            f'{closed_position:g} (closed): are they those of this gripper, in the same unit?'
        )
    return min(1.0, max(0.0, closed))


def check_image(message: Any) -> None:
    """Raise ObservationError unless the message holds a whole image of a known encoding."""
    channels = _CHANNELS.get(message.encoding)
    if channels is None:
        known = ', '.join(_CHANNELS)
        raise ObservationError(f'encoding {message.encoding!r} is not one of {known}')
    if message.encoding in _PAIRED and message.width % 2:
        raise ObservationError(
            f'encoding {message.encoding!r} has two pixels in four bytes, so that the width must '
            f'be even; it is {message.width}'
        )
    if message.height == 0 or message.width == 0:
        raise ObservationError(
            f'image of {message.width} x {message.height} pixels: both must be above 0'
        )
    if message.step < message.width * channels:
        raise ObservationError(
            f'step {message.step} is shorter than a row: {message.width} pixels of '
            f'{message.encoding} take {message.width * channels} bytes'
        )
    if len(message.data) != message.step * message.height:
        raise ObservationError(
            f'{len(message.data)} bytes of data; step {message.step} x height {message.height} '
            f'make {message.step * message.height}'
        )


def convert_own(message: Any) -> np.ndarray:
    """Return a checked image as rgb uint8 (height, width, 3), without cv_bridge.

    All known encodings have one byte per channel, so `is_bigendian` changes nothing.
    """
    channels = _CHANNELS[message.encoding]
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    pixels = rows[:, : message.width * channels].reshape(message.height, message.width, channels)
    if message.encoding in _DECODED:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), _DECODED[message.encoding]))
    if message.encoding == 'rgb8':
        return np.ascontiguousarray(pixels).copy()
    return np.ascontiguousarray(pixels[:, :, list(_RGB_CHANNELS[message.encoding])])
