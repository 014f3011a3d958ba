# SPDX-License-Identifier: Apache-2.0
"""Makes of trajectories what a robot without a trajectory controller is sent at each moment."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidplan_core.control.rejection import LIMIT, NONFINITE, STALE, WRONG_SIZE
from vidplan_core.errors import CommandRejectedError
from vidplan_core.geometry.limits import JointLimits
from vidplan_core.geometry.path import JointTrajectoryPlan

Array = NDArray[np.float64]

# A point that is due sooner cannot be joined any more, s.
_SOON_S = 0.002
# What comes a little late needs a little more than it was made with; the robot's own limits are
# as much beyond those of the robot's file.
_MORE = 1.02


@dataclass(frozen=True, eq=False)
class _Followed:
    """A path from a time on, s, then rest (7,), rad; None for rest alone."""

    path: JointTrajectoryPlan | None
    start_s: float
    rest: Array

    def sample(self, time_s: float) -> tuple[Array, Array, Array]:
        if self.path is None:
            zeros = np.zeros_like(self.rest)
            return self.rest, zeros, zeros
        return self.path.sample(time_s - self.start_s)


class SetPoints:
    """Follows trajectories as joint_trajectory_controller does.

    Each is joined from the present set point by a quintic to its first point that is still ahead,
    so that position, velocity and acceleration have no step; after the last point it rests.

    Attributes:
        end_s: when it rests.
    """

    def __init__(self, q: ArrayLike, limits: JointLimits) -> None:
        """Rest at angles (7,), rad.

        Args:
            q: where the robot is commanded to be.
            limits: that trajectories keep, and joining them, however late they come, by 2 %.
        """
        more = {name: _MORE * value for name in ('acceleration', 'jerk')
                if (value := getattr(limits, name)) is not None}  # fmt: skip
        self._limits = replace(limits, **more)
        self._present = self._before = _Followed(None, -np.inf, np.asarray(q, np.float64))
        self.end_s = -np.inf

    def sample(self, time_s: float) -> tuple[Array, Array, Array]:
        """Return position, velocity and acceleration (7,) at a time, s.

        Shortly before the present trajectory was joined, they are of the one before.
        """
        followed = self._present if time_s >= self._present.start_s else self._before
        return followed.sample(time_s)

    def accept(
        self, now_s: float, times_s: ArrayLike, q: ArrayLike, dq: ArrayLike, ddq: ArrayLike
    ) -> None:
        """Follow a trajectory from now on.

        Args:
            now_s: present time, s.
            times_s: of the points, (K,), rising, by the same clock.
            q: (K, 7), rad.
            dq: (K, 7), rad/s; zero at the last.
            ddq: (K, 7), rad/s^2; zero at the last.

        Raises:
            CommandRejectedError: it is not of numbers that belong together, it is over, or joining
                it breaks a limit; what was followed before goes on.
        """
        times, *states = (np.asarray(values, np.float64) for values in (times_s, q, dq, ddq))
        self._require_whole(times, states)
        ahead = times > now_s + _SOON_S
        if not ahead.any():
            raise CommandRejectedError(
                STALE, f'the trajectory ended {now_s - times[-1]:.3f} s ago; are the clocks set?'
            )
        start = self.sample(now_s)
        path = JointTrajectoryPlan(
            np.concatenate(([0.0], times[ahead] - now_s)),
            *(np.vstack((first, rest[ahead])) for first, rest in zip(start, states, strict=True)),
        )
        if (broken := path.violation(self._limits)) is not None:
            raise CommandRejectedError(LIMIT, f'the trajectory cannot be joined: {broken}')
        self._before, self._present = self._present, _Followed(path, now_s, path.q[-1])
        self.end_s = float(times[-1])

    def _require_whole(self, times: Array, states: list[Array]) -> None:
        shape = len(times), len(self._present.rest)
        if times.ndim != 1 or not len(times) or any(one.shape != shape for one in states):
            raise CommandRejectedError(
                WRONG_SIZE,
                f'a trajectory needs one time and {shape[1]} positions, velocities and '
                f'accelerations a point, got {[times.shape, *(one.shape for one in states)]}',
            )
        if not all(np.isfinite(one).all() for one in (times, *states)):
            raise CommandRejectedError(NONFINITE, 'the trajectory holds NaN or infinity')
        if (np.diff(times) <= 0).any() or states[1][-1].any():
            raise CommandRejectedError(
                WRONG_SIZE, 'the times of a trajectory must rise, and its end be at rest'
            )
