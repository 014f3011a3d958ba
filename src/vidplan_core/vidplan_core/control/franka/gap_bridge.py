# SPDX-License-Identifier: Apache-2.0
"""Leads a robot back to its way that went on by itself while commands were missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# A way back takes at least so long, s, and adds at most so much jerk, rad/s^3.
_SHORTEST_S, _JERK_RAD_S3 = 0.1, 800.0
# Highest jerk of the way back from a unit of position, velocity, acceleration in a unit of time.
_PEAKS = 60.0, 36.0, 9.0


class GapBridge:
    """An offset from what is commanded that vanishes without a step in its second derivative.

    A Franka robot that gets no command for a cycle keeps its acceleration. What is commanded after
    that has to go on from where it then is, or it is a discontinuity, and the robot stops itself.

    Attributes:
        end_s: from when on there is no offset.
    """

    def __init__(self, cycle_s: float) -> None:
        """Begin without an offset; `cycle_s` is the time between commands, s."""
        self._cycle_s = cycle_s
        self._begin_s = self.end_s = -np.inf
        self._factors = np.zeros((6, 1))

    def begin(self, now_s: float, robot: ArrayLike, wanted: ArrayLike) -> None:
        """Begin the way back.

        Args:
            now_s: present time, s.
            robot: commanded position, velocity and acceleration (3, joints) as the robot says
                them: the latter two are differences of its last positions.
            wanted: positions (3, joints) that it should have been commanded now, one and two
                cycles ago, rad.
        """
        q, dq, ddq = np.asarray(robot, np.float64)
        step_s = self._cycle_s
        one_ago, two_ago = q - step_s * dq, q - 2 * step_s * dq + step_s**2 * ddq
        first, second, third = np.stack((q, one_ago, two_ago)) - np.asarray(wanted, np.float64)
        acceleration = (first - 2 * second + third) / step_s**2
        velocity = (first - second) / step_s + acceleration * step_s / 2
        self._fade(now_s, first, velocity, acceleration)

    def sample(self, time_s: float) -> Array:
        """Return the offset (joints,) at a time, rad."""
        since_s = time_s - self._begin_s
        if time_s >= self.end_s:
            return np.zeros(self._factors.shape[1])
        return np.asarray(np.power(since_s, np.arange(6)) @ self._factors)

    def _fade(self, now_s: float, offset: Array, velocity: Array, acceleration: Array) -> None:
        """Follow the quintic from these to nothing."""
        most = [float(np.abs(one).max()) for one in (offset, velocity, acceleration)]
        t = _SHORTEST_S
        while sum(p * m / t**n for p, m, n in zip(_PEAKS, most, (3, 2, 1), strict=True)) > (
            _JERK_RAD_S3
        ):
            t *= 1.1
        a, v, c = offset, velocity, acceleration
        self._factors = np.stack((
            a, v, c / 2,
            -(20 * a + 12 * v * t + 3 * c * t**2) / (2 * t**3),
            (30 * a + 16 * v * t + 3 * c * t**2) / (2 * t**4),
            -(12 * a + 6 * v * t + c * t**2) / (2 * t**5),
        ))  # fmt: skip
        self._begin_s, self.end_s = now_s, now_s + t
