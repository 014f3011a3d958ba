# SPDX-License-Identifier: Apache-2.0
"""Joint paths as a trajectory controller follows them: quintics between timed knots."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidplan_core.geometry.limits import JointLimits

Array = NDArray[np.float64]

# Knots nearer to each other than this become one, s: a controller that takes up a motion between
# them, because a message comes late, would have no time to follow.
SAME_TIME_S = 0.02

# Parts of a segment that are bounded one by one; bounds are too wide by a 16th squared.
_PARTS = 16


@dataclass(frozen=True, eq=False)
class JointTrajectoryPlan:
    """Knots of a joint motion; between them position is the quintic that meets both states.

    Position, velocity and acceleration are continuous, and jerk is bounded. A controller that is
    sent positions, velocities and accelerations interpolates so
    (ros2_controllers, joint_trajectory_controller/doc/trajectory.rst).

    Attributes:
        times_s: (K,), rising, from 0 at the first knot, where the motion begins.
        q: positions (K, 7), rad.
        dq: velocities (K, 7), rad/s; zero at the last knot, after which the arm rests.
        ddq: accelerations (K, 7), rad/s^2; zero at the last knot.
    """

    times_s: Array
    q: Array
    dq: Array
    ddq: Array

    @property
    def duration_s(self) -> float:
        """Time from the first knot to rest."""
        return float(self.times_s[-1])

    def sample(self, times_s: ArrayLike) -> tuple[Array, Array, Array]:
        """Return position, velocity and acceleration (..., 7) at times (...).

        Before the first knot that is its state; from the last knot on the arm rests.
        """
        asked = np.asarray(times_s, dtype=np.float64)
        inside = np.clip(asked, self.times_s[0], self.times_s[-1])
        segment = np.searchsorted(self.times_s, inside, side='right') - 1
        segment = np.clip(segment, 0, len(self.times_s) - 2)
        part = (inside - self.times_s[segment]) / np.diff(self.times_s)[segment]
        q, dq, ddq = (
            np.einsum('...k,...kj->...j', _bernstein(part, 5 - order), points[segment])
            for order, points in enumerate(self._control_points[:3])
        )
        # Rest is exact, not what the polynomial's rounding leaves of it.
        resting = (asked >= self.times_s[-1])[..., None]
        q = np.where(resting, self.q[-1], q)
        return q, np.where(resting, 0.0, dq), np.where(resting, 0.0, ddq)

    def positions(self, times_s: Array) -> Array:
        """Return the positions (N, 7) of `sample` alone, at times (N,) of the motion."""
        segment = np.searchsorted(self.times_s, times_s, side='right') - 1
        segment = np.clip(segment, 0, len(self.times_s) - 2)
        part = (times_s - self.times_s[segment]) / np.diff(self.times_s)[segment]
        return np.einsum('nk,nkj->nj', _bernstein(part, 5), self._control_points[0][segment])

    def violation(self, limits: JointLimits) -> str | None:
        """Say which limit the motion may break anywhere, or None; nothing is missed.

        Polynomials lie within the range of their Bernstein coefficients; those of short parts of
        the segments exceed it by little.
        """
        q, dq, ddq, jerk = self._bounds
        # What a part's position nearest to an end allows holds for all of it.
        low, high = q.min(1, keepdims=True), q.max(1, keepdims=True)
        allowed = limits.velocity_range(low)[0], limits.velocity_range(high)[1]
        return limits.violation(q, dq, ddq, jerk, velocity_range=allowed)

    def excess(self, limits: JointLimits) -> float:
        """Return by which factor the motion must slow down to keep all but position limits."""
        _, dq, ddq, jerk = self._bounds
        shares = [(dq, limits.velocity), (ddq, limits.acceleration)]
        if limits.jerk is not None:
            shares.append((jerk, limits.jerk))
        # The n-th derivative falls with the n-th power of a slow-down.
        powers = [
            float((np.abs(values) / most).max()) ** (1 / (order + 1))
            for order, (values, most) in enumerate(shares)
        ]
        return max(powers)

    def slowed(self, factor: float) -> JointTrajectoryPlan:
        """Return the same way, in `factor` of the time."""
        return JointTrajectoryPlan(
            factor * self.times_s, self.q, self.dq / factor, self.ddq / factor**2
        )

    def cut(self, start_s: float, end_s: float) -> JointTrajectoryPlan:
        """Return the part between two times, retimed to begin at 0; it is the same motion."""
        near = SAME_TIME_S
        inner = self.times_s[(self.times_s > start_s + near) & (self.times_s < end_s - near)]
        times = np.concatenate(([start_s], inner, [end_s]))
        return JointTrajectoryPlan(times - start_s, *self.sample(times))

    def then(self, following: JointTrajectoryPlan) -> JointTrajectoryPlan:
        """Return this motion followed by another, which begins where this one ends."""
        return JointTrajectoryPlan(
            np.concatenate((self.times_s, self.times_s[-1] + following.times_s[1:])),
            np.concatenate((self.q, following.q[1:])),
            np.concatenate((self.dq, following.dq[1:])),
            np.concatenate((self.ddq, following.ddq[1:])),
        )

    @cached_property
    def _bounds(self) -> tuple[Array, Array, Array, Array]:
        """Return what position, velocity, acceleration and jerk lie between, part by part.

        Shapes are (parts, degree + 1, K - 1, 7).
        """
        q, dq, ddq, jerk = (_parts(points) for points in self._control_points)
        return q, dq, ddq, jerk

    @cached_property
    def _control_points(self) -> tuple[Array, Array, Array, Array]:
        """Return the Bernstein coefficients of position, velocity, acceleration and jerk.

        Shapes are (K - 1, degree + 1, 7), from degree 5 down to 2.
        """
        length = np.diff(self.times_s)[:, None]
        speed, rate = length * self.dq[:-1] / 5, length * length * self.ddq[:-1] / 20
        speed_end, rate_end = length * self.dq[1:] / 5, length * length * self.ddq[1:] / 20
        first, last = self.q[:-1], self.q[1:]
        points = np.stack(
            (first, first + speed, first + 2 * speed + rate,
             last - 2 * speed_end + rate_end, last - speed_end, last), 1,
        )  # fmt: skip
        found = [points]
        for degree in (5, 4, 3):
            found.append(degree * np.diff(found[-1], axis=1) / length[:, None])
        return found[0], found[1], found[2], found[3]


# Powers 0 .. n and the binomial coefficients, by degree n.
_BINOMIALS = {
    degree: (np.arange(degree + 1), np.array([math.comb(degree, k) for k in range(degree + 1)]))
    for degree in range(6)
}


def _bernstein(part: Array, degree: int) -> Array:
    """Return the Bernstein polynomials (..., degree + 1) of a degree at (...), 0 .. 1."""
    there = np.asarray(part, np.float64)[..., None]
    index, factors = _BINOMIALS[degree]
    return np.asarray(factors * there**index * (1 - there) ** index[::-1])


def _subdivision(degree: int) -> Array:
    """Return what makes the coefficients of parts of those of all, (parts, n + 1, n + 1)."""
    nodes = np.linspace(0, 1, degree + 1)
    places = (np.arange(_PARTS)[:, None] + nodes) / _PARTS
    return np.asarray(np.linalg.solve(_bernstein(nodes, degree), _bernstein(places, degree)))


_SUBDIVISIONS = {degree: _subdivision(degree) for degree in (5, 4, 3, 2)}


def _parts(points: Array) -> Array:
    """Return the coefficients (parts, n + 1, K, 7) of the parts of segments (K, n + 1, 7)."""
    count, size, joints = points.shape
    # One product of two matrices: many small ones take ten times as long.
    columns = np.ascontiguousarray(points.swapaxes(0, 1)).reshape(size, count * joints)
    found = _SUBDIVISIONS[size - 1].reshape(_PARTS * size, size) @ columns
    return np.asarray(found.reshape(_PARTS, size, count, joints))
