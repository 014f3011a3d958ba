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
    """Limits of the seven joints; all but the position limits are symmetric.

    Attributes:
        names: joint names, base first.
        lower: positions (7,), rad.
        upper: positions (7,), rad.
        velocity: (7,), rad/s.
        acceleration: (7,), rad/s^2.
        braking: deceleration (7,) that a joint must be able to stop with before its end, rad/s^2.
        braking_offset: (7,), rad/s, taken off the speed that `braking` allows. Both or neither:
            with them the speed towards an end is at most sqrt(2 braking distance) - offset.
    """

    names: tuple[str, ...]
    lower: Array
    upper: Array
    velocity: Array
    acceleration: Array
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
    ) -> str | None:
        """Say which joint breaks which limit, or None when all of (7,) or (..., 7) are inside."""
        positions = np.asarray(q, dtype=np.float64)
        found = self._outside(positions, self.lower, self.upper, 'position', 'rad')
        if found is None and dq is not None:
            slowest, fastest = self.velocity_range(positions)
            found = self._outside(np.asarray(dq), slowest, fastest, 'velocity', 'rad/s')
        if found is None and ddq is not None:
            most = self.acceleration
            found = self._outside(np.asarray(ddq), -most, most, 'acceleration', 'rad/s^2')
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


def joint_names(prefix: str = '', robot_type: str = 'fr3') -> tuple[str, ...]:
    """Return the seven joint names, for example `left_fr3_joint1` for the prefix `left`."""
    return tuple(f'{prefix}_{robot_type}_joint{i}'.lstrip('_') for i in range(1, 8))


def _array(*values: float) -> Array:
    return np.array(values, dtype=np.float64)


# Planning: the rectangular box that Franka suggests, in which the velocity limit does not depend
# on position (docs, control-parameters-joint-fr3-rectangular.csv), but for joint 4: it may fold to
# -2.9 instead of -2.7714, or a vertical gripper would not come nearer to the base than 0.39 m.
# Accelerations are twice MoveIt's (franka_fr3_moveit_config, fr3_joint_limits.yaml) and at most
# the controller's 10: a chunk that turns round within 0.8 s needs them to keep its time.
FR3 = JointLimits(
    joint_names(),
    lower=_array(-2.3476, -1.5454, -2.4937, -2.9, -2.51, 0.7773, -2.7045),
    upper=_array(2.3476, 1.5454, 2.4937, -0.4226, 2.51, 4.2841, 2.7045),
    velocity=_array(2.0, 1.0, 1.5, 1.25, 3.0, 1.5, 3.0),
    acceleration=_array(7.5, 3.75, 5.0, 6.25, 7.5, 10.0, 10.0),
)

# Never to be exceeded: the intersection of the URDF (franka_description, fr3 joint_limits.yaml)
# with the controller's limits (docs, control-parameters-joint-fr3.csv), among them the velocity
# that falls towards the ends of a joint.
FR3_HARD = JointLimits(
    joint_names(),
    lower=_array(-2.7437, -1.7837, -2.9007, -3.0421, -2.8065, 0.5445, -3.0159),
    upper=_array(2.7437, 1.7837, 2.9007, -0.1518, 2.8065, 4.5169, 3.0159),
    velocity=_array(2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26),
    acceleration=_array(*[10.0] * 7),
    braking=_array(6.0, 2.585, 3.5, 4.0, 17.0, 5.5, 17.0),
    braking_offset=_array(0.6599, 0.2517, 0.2, 0.3533, 0.5757, 0.4878, 0.4628),
)
