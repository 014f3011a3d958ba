# SPDX-License-Identifier: Apache-2.0
"""Joint paths as a trajectory controller follows them: cubics between timed knots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidplan_core.geometry.limits import JointLimits

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class JointTrajectoryPlan:
    """Knots of a joint motion; between them position is the cubic that meets both velocities.

    Attributes:
        times_s: (K,), rising, from 0 at the first knot, where the motion begins.
        q: positions (K, 7), rad.
        dq: velocities (K, 7), rad/s; zero at the last knot, after which the arm rests.
    """

    times_s: Array
    q: Array
    dq: Array

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
        elapsed = (inside - self.times_s[segment])[..., None]
        start, jerk = (values[segment] for values in self._segments())
        dq0 = self.dq[segment]
        q = self.q[segment] + elapsed * (dq0 + elapsed * (start / 2 + elapsed * jerk / 6))
        dq = dq0 + elapsed * (start + elapsed * jerk / 2)
        # Rest is exact, not what the cubic's rounding leaves of it.
        resting = (asked >= self.times_s[-1])[..., None]
        q = np.where(resting, self.q[-1], q)
        return q, np.where(resting, 0.0, dq), np.where(resting, 0.0, start + elapsed * jerk)

    def violation(self, limits: JointLimits) -> str | None:
        """Say which limit the motion breaks anywhere, or None; exact between the knots too.

        Limits on velocity that depend on position are taken at the extremes of position only.
        """
        start, jerk = self._segments()
        length = np.diff(self.times_s)[:, None]
        dq0, q0 = self.dq[:-1], self.q[:-1]
        with np.errstate(divide='ignore', invalid='ignore'):
            turning = -start / jerk
            root = np.sqrt(start * start - 2 * jerk * dq0)
            # The citardauq form: no cancellation, and right for a constant acceleration too.
            pivot = -(start + np.copysign(root, start))
            resting = np.stack((2 * dq0 / pivot, pivot / jerk))
        ends = np.stack((np.zeros_like(start), np.broadcast_to(length, start.shape)))
        moments = np.concatenate((turning[None], resting))
        moments = np.where((moments > 0) & (moments < length), moments, 0.0)
        moments = np.concatenate((ends, moments))
        q = q0 + moments * (dq0 + moments * (start / 2 + moments * jerk / 6))
        dq = dq0 + moments * (start + moments * jerk / 2)
        return limits.violation(q, dq, start + moments * jerk)

    def cut(self, start_s: float, end_s: float) -> JointTrajectoryPlan:
        """Return the part between two times, retimed to begin at 0; it is the same motion."""
        inner = self.times_s[(self.times_s > start_s + 1e-6) & (self.times_s < end_s - 1e-6)]
        times = np.concatenate(([start_s], inner, [end_s]))
        q, dq, _ = self.sample(times)
        return JointTrajectoryPlan(times - start_s, q, dq)

    def then(self, following: JointTrajectoryPlan) -> JointTrajectoryPlan:
        """Return this motion followed by another, which begins where this one ends."""
        return JointTrajectoryPlan(
            np.concatenate((self.times_s, self.times_s[-1] + following.times_s[1:])),
            np.concatenate((self.q, following.q[1:])),
            np.concatenate((self.dq, following.dq[1:])),
        )

    def _segments(self) -> tuple[Array, Array]:
        """Return each segment's acceleration at its start and its jerk, (K - 1, 7)."""
        length = np.diff(self.times_s)[:, None]
        slope = np.diff(self.q, axis=0) / length
        before, after = self.dq[:-1], self.dq[1:]
        start = (6 * slope - 4 * before - 2 * after) / length
        return start, 6 * (before + after - 2 * slope) / (length * length)
