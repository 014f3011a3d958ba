# SPDX-License-Identifier: Apache-2.0
"""How a free elbow moves during a motion of the hand: slowly towards home."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidplan_core.geometry.fk import arm_frames
from vidplan_core.geometry.robot import RobotModel

Array = NDArray[np.float64]


def elbow_drift(
    robot: RobotModel, q: Array, dq: Array, times_s: Array, speed_rad_s: float
) -> Array:
    """Return how far (F, 7) the joints shall have drifted by each time, rad.

    The drift leaves the flange where it is. It begins with the part of the present velocity that
    does so, too, and comes smoothly to rest at the last time; without a drift towards home the
    elbow would wander off with every closed path of the hand.

    Args:
        robot: whose home it is.
        q: present angles (7,), rad.
        dq: present velocities (7,), rad/s.
        times_s: (F,), rising, from now on, s.
        speed_rad_s: fastest drift towards home of any joint; 0 only brakes.
    """
    free = _free(robot, q)
    duration_s = float(times_s[-1])
    # A cubic from rest to rest is 1.5 times as fast as on average.
    longest_rad = speed_rad_s * duration_s / 1.5
    home = free @ (np.asarray(robot.home) - q)
    home *= min(1.0, longest_rad / max(np.abs(home).max(), 1e-9))
    way = duration_s * (free @ dq)
    part = (times_s / duration_s)[:, None]
    # Braking alone goes on by a third of it, the least without turning back.
    return part * (1 - part) ** 2 * way + part**2 * (3 - 2 * part) * (way / 3 + home)


def _free(robot: RobotModel, q: Array) -> Array:
    """Return the projection (7, 7) onto joint velocities that leave the flange where it is."""
    positions, rotations = (values[0] for values in arm_frames(robot, q[None]))
    axes = rotations[1:-1, :, 2]
    arms = positions[-1] - positions[1:-1]
    moves = np.concatenate((np.cross(axes, arms), axes), 1).T
    return np.eye(len(q)) - np.linalg.pinv(moves, rcond=1e-4) @ moves
