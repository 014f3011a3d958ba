# SPDX-License-Identifier: Apache-2.0
"""Joint limits: what the planner keeps to, and what no command may exceed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# A waypoint computed to lie on a limit may miss it by rounding; a real limit is far wider.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class JointLimits:
    """Limits of the seven joints, in rad, rad/s and rad/s^2 (symmetric but for position)."""

    names: tuple[str, ...]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    velocity: NDArray[np.float64]
    acceleration: NDArray[np.float64]

    def __post_init__(self) -> None:
        for field in ('lower', 'upper', 'velocity', 'acceleration'):
            values = np.array(getattr(self, field), dtype=np.float64)
            if values.shape != (len(self.names),) or not np.isfinite(values).all():
                raise ValueError(f'{field} needs {len(self.names)} finite numbers, got {values}')
            values.setflags(write=False)
            object.__setattr__(self, field, values)
        if (self.lower >= self.upper).any():
            raise ValueError(f'lower {self.lower} must lie below upper {self.upper}')
        if (self.velocity <= 0).any() or (self.acceleration <= 0).any():
            raise ValueError('velocity and acceleration limits must be positive')

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
            speeds = np.asarray(dq, dtype=np.float64)
            found = self._outside(speeds, -self.velocity, self.velocity, 'velocity', 'rad/s')
        if found is None and ddq is not None:
            rates = np.asarray(ddq, dtype=np.float64)
            found = self._outside(
                rates, -self.acceleration, self.acceleration, 'acceleration', 'rad/s^2'
            )
        return found

    def clip(self, q: ArrayLike) -> NDArray[np.float64]:
        """Return joint positions (..., 7) moved to the nearest inside the limits."""
        return np.clip(np.asarray(q, dtype=np.float64), self.lower, self.upper)

    def intersect(self, other: JointLimits) -> JointLimits:
        """Return the limits that satisfy both; joints must have the same names."""
        if other.names != self.names:
            raise ValueError(
                f'cannot intersect limits of {self.names} with those of {other.names}'
            )
        return JointLimits(
            self.names,
            np.maximum(self.lower, other.lower),
            np.minimum(self.upper, other.upper),
            np.minimum(self.velocity, other.velocity),
            np.minimum(self.acceleration, other.acceleration),
        )

    def _outside(
        self,
        values: NDArray[np.float64],
        lower: NDArray[np.float64],
        upper: NDArray[np.float64],
        quantity: str,
        unit: str,
    ) -> str | None:
        if values.shape[-1:] != (len(self.names),):
            return f'{quantity} needs {len(self.names)} joints, got shape {values.shape}'
        # Written so that NaN counts as outside.
        inside = (values >= lower - _ROUNDING) & (values <= upper + _ROUNDING)
        if inside.all():
            return None
        where = np.argwhere(~inside)[0]
        joint = int(where[-1])
        return (
            f'{quantity} of {self.names[joint]} is {values[tuple(where)]:.4f} {unit}, '
            f'allowed {lower[joint]:.4f} .. {upper[joint]:.4f}'
        )


def joint_names(prefix: str = '', robot_type: str = 'fr3') -> tuple[str, ...]:
    """Return the seven joint names, for example `left_fr3_joint1` for the prefix `left`."""
    return tuple(f'{prefix}_{robot_type}_joint{i}'.lstrip('_') for i in range(1, 8))


def _limits(
    lower: Sequence[float],
    upper: Sequence[float],
    velocity: Sequence[float],
    acceleration: Sequence[float],
) -> JointLimits:
    arrays = (np.asarray(values) for values in (lower, upper, velocity, acceleration))
    return JointLimits(joint_names(), *arrays)


# Planning: the rectangular box that Franka suggests, in which the velocity limit does not depend
# on position (docs, control-parameters-joint-fr3-rectangular.csv), and MoveIt's accelerations
# (franka_fr3_moveit_config, fr3_joint_limits.yaml).
FR3 = _limits(
    lower=(-2.3476, -1.5454, -2.4937, -2.7714, -2.51, 0.7773, -2.7045),
    upper=(2.3476, 1.5454, 2.4937, -0.4226, 2.51, 4.2841, 2.7045),
    velocity=(2.0, 1.0, 1.5, 1.25, 3.0, 1.5, 3.0),
    acceleration=(3.75, 1.875, 2.5, 3.125, 3.75, 5.0, 5.0),
)

# Never to be exceeded: the intersection of the URDF (franka_description, fr3 joint_limits.yaml)
# with the controller's limits (docs, control-parameters-joint-fr3.csv).
FR3_HARD = _limits(
    lower=(-2.7437, -1.7837, -2.9007, -3.0421, -2.8065, 0.5445, -3.0159),
    upper=(2.7437, 1.7837, 2.9007, -0.1518, 2.8065, 4.5169, 3.0159),
    velocity=(2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26),
    acceleration=(10.0,) * 7,
)
