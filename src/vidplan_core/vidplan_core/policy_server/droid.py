# SPDX-License-Identifier: Apache-2.0
"""What openpi's DROID policies read and answer: names, units, shapes, pictures.

A request has the pictures below, uint8 (height, width, 3), rgb, the joint angles (7,) in rad, the
gripper (1,), 0 open .. 1 closed, and the instruction. An answer has `actions` (any number, 8):
joint velocities in units of which 1 is the largest, then the gripper, 0 open .. 1 closed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidplan_core.errors import ObservationError, PolicyServerError
from vidplan_core.policy_server.reasons import MALFORMED

Image = NDArray[np.uint8]
Vector = NDArray[np.float64]

# DROID's control rate.
RATE_HZ = 15.0
# Slope of the motion over 1 s of the joints over the sum of their commands, in two recorded
# episodes of DROID (correlation 0.94): the controller's stiffness gives a quarter of the nominal
# 0.2 rad a step.
UNIT_RAD_S = 0.78
JOINTS, GRIPPER, PROMPT = 'observation/joint_position', 'observation/gripper_position', 'prompt'
ACTIONS, WRIST = 'actions', 'observation/wrist_image_left'
# openpi counts exterior cameras from 1, RoboArena from 0.
EXTERIOR = re.compile(r'observation/exterior_image_(\d+)_left')
# Seven joints and the gripper.
COLUMNS = 8
MOST_COMMANDS = 1000


def letterbox(image: Image, height: int, width: int) -> Image:
    """The picture (any, any, 3) as large as fits into (height, width, 3), black around it."""
    rows, columns = image.shape[:2]
    shrink = max(rows / height, columns / width)
    fitted = max(1, int(rows / shrink)), max(1, int(columns / shrink))
    how = cv2.INTER_AREA if shrink > 1.0 else cv2.INTER_LINEAR
    top, left = (height - fitted[0]) // 2, (width - fitted[1]) // 2
    boxed = np.zeros((height, width, 3), np.uint8)
    small = image if fitted == (rows, columns) else cv2.resize(image, fitted[::-1], dst=None,
                                                               interpolation=how)  # fmt: skip
    boxed[top : top + fitted[0], left : left + fitted[1]] = small
    return boxed


def without_bars(image: Image) -> Image:
    """The picture without the black bars of `letterbox`: as wide on both sides, to a pixel."""
    for axis in (0, 1):
        lit = np.flatnonzero(image.any(axis=(1 - axis, 2)))
        if not len(lit):
            return image
        before, after = lit[0], image.shape[axis] - 1 - lit[-1]
        if abs(before - after) <= 1:
            image = np.take(image, np.arange(lit[0], lit[-1] + 1), axis)
    return image


def request(pictures: Mapping[str, Image], q: Vector, closedness: float, prompt: str) -> dict:
    """The message that asks for actions; pictures by key, see the module."""
    state = {JOINTS: np.asarray(q, np.float64), GRIPPER: np.array([closedness], np.float64)}
    return {**pictures, **state, PROMPT: prompt}


def read_actions(answer: Any) -> Vector:
    """The commands (any number, 8) of an answer, gripper last, as they came.

    Raises:
        PolicyServerError: MALFORMED, there are none of this shape, or they are not finite.
    """
    found = answer.get(ACTIONS) if isinstance(answer, Mapping) else answer
    if not isinstance(found, np.ndarray):
        raise PolicyServerError(MALFORMED, f"an answer has no array '{ACTIONS}'")
    if found.ndim != 2 or not 0 < len(found) <= MOST_COMMANDS or found.shape[1] != COLUMNS:
        raise PolicyServerError(
            MALFORMED,
            f"'{ACTIONS}' has the shape {found.shape}; it must be (1 to {MOST_COMMANDS}, "
            f'{COLUMNS}): seven joint velocities and the gripper',
        )
    if not np.isfinite(found).all():
        raise PolicyServerError(MALFORMED, f"'{ACTIONS}' has values that are not finite")
    return found.astype(np.float64)


def exterior_pictures(message: Mapping[str, Any]) -> list[Image]:
    """The exterior pictures of a request, in the order of their numbers.

    Raises:
        ObservationError: one is no uint8 picture.
    """
    keys = {int(m[1]): key for key in message if (m := EXTERIOR.fullmatch(str(key)))}
    return [read_picture(message, keys[number]) for number in sorted(keys)]


def read_picture(message: Mapping[str, Any], key: str) -> Image:
    """A picture of a request without black bars.

    Raises:
        ObservationError: it is missing, or no uint8 array (height, width, 3).
    """
    image = message.get(key)
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise ObservationError(f"'{key}' must be an array uint8 (height, width, 3), rgb")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ObservationError(f"'{key}' must be (height, width, 3), got {image.shape}")
    return without_bars(image)


def read_state(message: Mapping[str, Any]) -> tuple[Vector, float]:
    """Joint angles (7,), rad, and closedness of a request.

    Raises:
        ObservationError: they are missing, not finite, or of another shape.
    """
    found = []
    for key, size in ((JOINTS, COLUMNS - 1), (GRIPPER, 1)):
        try:
            values = np.asarray(message.get(key), np.float64).reshape(-1)
        except (TypeError, ValueError):
            values = np.zeros(0)
        if values.shape != (size,) or not np.isfinite(values).all():
            raise ObservationError(f"'{key}' must be {size} finite numbers")
        found.append(values)
    return found[0], float(np.clip(found[1][0], 0.0, 1.0))
