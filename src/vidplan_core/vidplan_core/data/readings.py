# SPDX-License-Identifier: Apache-2.0
"""Messages to arrays, whoever made the messages: ROS, or rosbags from a bag without ROS."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidplan_core.errors import ObservationError

Vector = NDArray[np.float64]

_NANOSECONDS = 1_000_000_000

#: A gripper is measured so far beyond its ends, as a share of its way; more is another unit.
BEYOND_ENDS = 0.3


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
