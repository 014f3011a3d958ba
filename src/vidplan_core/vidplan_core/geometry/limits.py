# SPDX-License-Identifier: Apache-2.0
"""Joint limits: what the planner keeps to, and what no command may exceed."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# A waypoint computed to lie on a limit may miss it by rounding; a real limit is far wider.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class JointLimits:
    """Limits of an arm's joints; all but the position limits are symmetric.

    Attributes:
        names: joint names, base first.
        lower: positions (7,), rad.
        upper: positions (7,), rad.
        velocity: (7,), rad/s.
        acceleration: (7,), rad/s^2.
        jerk: (7,), rad/s^3, where it is known.
        braking: deceleration (7,) that a joint must be able to stop with before its end, rad/s^2.
        braking_offset: (7,), rad/s, taken off the speed that `braking` allows. Both or neither:
            with them the speed towards an end is at most sqrt(2 braking distance) - offset.
    """

    names: tuple[str, ...]
    lower: Array
    upper: Array
    velocity: Array
    acceleration: Array
    jerk: Array | None = None
    braking: Array | None = None
    braking_offset: Array | None = None

    def __post_init__(self) -> None:
        if (self.braking is None) != (self.braking_offset is None):
            raise ValueError('braking and braking_offset come together')
        for field in fields(self)[1:]:
            self._freeze(field.name)
        if (self.lower >= self.upper).any():
            raise ValueError(f'lower {self.lower} must lie below upper {self.upper}')
        if (self.velocity <= 0).any() or (self.acceleration <= 0).any():
            raise ValueError('velocity and acceleration limits must be positive')
        if self.jerk is not None and (self.jerk <= 0).any():
            raise ValueError('jerk limits must be positive')

    def _freeze(self, name: str) -> None:
        if getattr(self, name) is not None:
            values = np.array(getattr(self, name), dtype=np.float64)
            if values.shape != (len(self.names),) or not np.isfinite(values).all():
                raise ValueError(f'{name} needs {len(self.names)} finite numbers, got {values}')
            values.setflags(write=False)
            object.__setattr__(self, name, values)

    def violation(
        self,
        q: ArrayLike,
        dq: ArrayLike | None = None,
        ddq: ArrayLike | None = None,
        jerk: ArrayLike | None = None,
        velocity_range: tuple[Array, Array] | None = None,
    ) -> str | None:
        """Say which joint breaks which limit, or None when all of (7,) or (..., 7) are inside.

        The range of velocities is that of the positions where it is not given.
        """
        positions = np.asarray(q, dtype=np.float64)
        found = self._outside(positions, self.lower, self.upper, 'position', 'rad')
        if found is None and dq is not None:
            slowest, fastest = velocity_range or self.velocity_range(positions)
            found = self._outside(np.asarray(dq), slowest, fastest, 'velocity', 'rad/s')
        if found is None and ddq is not None:
            most = self.acceleration
            found = self._outside(np.asarray(ddq), -most, most, 'acceleration', 'rad/s^2')
        if found is None and jerk is not None and self.jerk is not None:
            found = self._outside(np.asarray(jerk), -self.jerk, self.jerk, 'jerk', 'rad/s^3')
        return found

    def velocity_range(self, q: Array) -> tuple[Array, Array]:
        """Return the least and the greatest velocity allowed at positions (..., 7), rad/s."""
        if self.braking is None or self.braking_offset is None:
            return -self.velocity, self.velocity
        room_up, room_down = np.maximum(self.upper - q, 0), np.maximum(q - self.lower, 0)
        up = np.sqrt(2 * self.braking * room_up) - self.braking_offset
        down = np.sqrt(2 * self.braking * room_down) - self.braking_offset
        return -np.clip(down, 0, self.velocity), np.clip(up, 0, self.velocity)

    def clip(self, q: ArrayLike) -> Array:
        """Return joint positions (..., 7) moved to the nearest inside the limits."""
        return np.clip(np.asarray(q, dtype=np.float64), self.lower, self.upper)

    def _outside(
        self,
        values: Array,
        lower: Array,
        upper: Array,
        quantity: str,
        unit: str,
    ) -> str | None:
        if values.shape[-1:] != (len(self.names),):
            return f'{quantity} needs {len(self.names)} joints, got shape {values.shape}'
        # Written so that NaN counts as outside.
        inside = (values >= lower - _ROUNDING) & (values <= upper + _ROUNDING)
        if inside.all():
            return None
        where = tuple(np.argwhere(~inside)[0])
        least, most = (np.broadcast_to(bound, values.shape)[where] for bound in (lower, upper))
        return (
            f'{quantity} of {self.names[where[-1]]} is {values[where]:.4f} {unit}, '
            f'allowed {least:.4f} .. {most:.4f}'
        )
