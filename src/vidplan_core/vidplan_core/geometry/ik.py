# SPDX-License-Identifier: Apache-2.0
"""Differential inverse kinematics: joint angles that follow flange poses within the limits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import daqp
import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidplan_core.errors import IkError
from vidplan_core.geometry.robot import DhRow, RobotModel
from vidplan_core.geometry.robot_files import default_robot

Array = NDArray[np.float64]

_FLANGE = 'flange'

# Weights of the rows of a pose's error (m, rad) and of the posture. The posture is weak enough to
# move the flange by micrometres only, see the test of its accuracy; it makes the problem regular.
_WEIGHTS = np.array([1.0, 1.0, 1.0, 0.3, 0.3, 0.3])
_POSTURE = 2e-3

# Errors and improvements below this end the iteration, m and rad.
_SETTLED = 1e-5


def arm_mjcf(chain: tuple[DhRow, ...]) -> str:
    """Return an MJCF arm without meshes, built from Denavit-Hartenberg rows."""
    opening, closing = [], []
    for index, row in enumerate(chain[:-1]):
        opening.append(
            f'<body {_placed(row)}>'
            '<inertial pos="0 0 0" mass="1" diaginertia="1 1 1"/>'
            f'<joint name="joint{index + 1}" axis="0 0 1"/>'
        )
        closing.append('</body>')
    site = f'<site name="{_FLANGE}" {_placed(chain[-1])}/>'
    arm = ''.join([*opening, site, *closing])
    return f'<mujoco model="arm"><worldbody>{arm}</worldbody></mujoco>'


def _placed(row: DhRow) -> str:
    a, d, alpha = row
    offset = f'{a} {-math.sin(alpha) * d} {math.cos(alpha) * d}'
    return f'pos="{offset}" quat="{math.cos(alpha / 2)} {math.sin(alpha / 2)} 0 0"'


@dataclass(frozen=True)
class IkTolerance:
    """How far a solution may be from its pose before it counts as unreachable."""

    position_m: float = 1e-3
    rotation_rad: float = 5e-3


class IkSolver:
    """Follows chunks of flange poses by a quadratic program per iteration (DAQP).

    Position and velocity limits are constraints: each pose must be reached from the angles of the
    one before within `velocity x dt`. A weak posture task keeps a free elbow where it is: a
    motion takes no more of the joints than its poses need, but for a drift that is asked for.
    The solver keeps no state between calls: equal inputs give equal angles.
    """

    def __init__(
        self,
        robot: RobotModel | None = None,
        tolerance: IkTolerance | None = None,
        max_iterations: int = 12,
    ) -> None:
        """Keep to the limits of `robot` (`default_robot` if none)."""
        robot = robot or default_robot()
        self._limits = robot.limits
        self._tolerance = tolerance or IkTolerance()
        self._max_iterations = max_iterations
        self._model = mujoco.MjModel.from_xml_string(arm_mjcf(robot.chain))
        self._data = mujoco.MjData(self._model)
        self._site = self._model.site(_FLANGE).id
        joints = len(robot.home)
        self._jacobian, self._still = np.zeros((6, joints)), np.zeros(joints)
        self._regular = _POSTURE**2 * np.eye(joints)
        self._unbound = np.zeros((0, joints)), np.zeros(joints, np.int32)

    def track(
        self,
        q0: ArrayLike,
        positions: ArrayLike,
        rotations: ArrayLike,
        dt: float,
        drift: Array | None = None,
    ) -> Array:
        """Return joint angles (F, 7), rad, that put the flange at each pose in turn.

        Args:
            q0: angles (7,) that the arm has `dt` before the first pose, rad.
            positions: flange positions (F, 3) in the robot base frame, m.
            rotations: flange rotations (F, 3, 3).
            dt: time between poses, s.
            drift: how far (F, 7) the joints shall have moved by each pose beyond what the poses
                need, as far as the poses leave them free, rad; not at all if None.

        Raises:
            IkError: a pose that is not reached within the limits; names its index and the errors.
        """
        previous = np.asarray(q0, dtype=np.float64)
        targets, turns = np.asarray(positions, np.float64), np.asarray(rotations, np.float64)
        _check_shapes(len(self._limits.names), previous, targets, turns, dt)
        angles = np.zeros((len(targets), len(previous)))
        steps = np.diff(angles if drift is None else drift, axis=0, prepend=0.0)
        for index, pose in enumerate(zip(targets, turns, strict=True)):
            angles[index] = previous = self._reach(index, previous, pose, steps[index], dt)
        return angles

    def _reach(
        self, index: int, previous: Array, pose: tuple[Array, Array], step: Array, dt: float
    ) -> Array:
        reach = self._limits.velocity * dt
        # An arm that stands outside its limits may stay there, but not go further.
        lower = np.maximum(np.minimum(self._limits.lower, previous), previous - reach)
        upper = np.minimum(np.maximum(self._limits.upper, previous), previous + reach)
        q = previous
        error, error_m, error_rad = self._look(q, pose)
        for _ in range(self._max_iterations):
            last_m, last_rad = error_m, error_rad
            q = q + self._step(error, previous + step - q, lower - q, upper - q)
            error, error_m, error_rad = self._look(q, pose)
            small = max(error_m, error_rad) < _SETTLED
            if small or max(abs(last_m - error_m), abs(last_rad - error_rad)) < _SETTLED:
                break
        # Written so that NaN counts as missed.
        tolerance = self._tolerance
        if not (error_m <= tolerance.position_m and error_rad <= tolerance.rotation_rad):
            raise IkError(index, error_m, error_rad, tolerance.position_m)
        return np.clip(q, lower, upper)

    def _look(self, q: Array, pose: tuple[Array, Array]) -> tuple[Array, float, float]:
        """Return what a pose is missed by at angles (7,): a twist (6,), its sizes in m and rad.

        The Jacobian there is found, too.
        """
        data = self._data
        data.qpos[:] = q
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_comPos(self._model, data)
        rows = self._jacobian[:3], self._jacobian[3:]
        mujoco.mj_jacSite(self._model, data, *rows, self._site)
        way = pose[0] - data.site_xpos[self._site]
        turn, angle_rad = _turn(pose[1] @ data.site_xmat[self._site].reshape(3, 3).T)
        return np.concatenate((way, turn)), math.hypot(*way.tolist()), angle_rad

    def _step(self, error: Array, drift: Array, lower: Array, upper: Array) -> Array:
        """Return the step (7,) between bounds that makes the most of the error (6,), rad."""
        weighted = _WEIGHTS[:, None] * self._jacobian
        square = weighted.T @ weighted + self._regular
        linear = -(weighted.T @ (_WEIGHTS * error) + _POSTURE**2 * drift)
        none, free = self._unbound
        step, _, found, _ = daqp.solve(square, linear, none, upper, lower, free)
        return np.asarray(step) if found > 0 else self._still


def _turn(rotation: Array) -> tuple[Array, float]:
    """Return the rotation vector (3,) of a matrix and its angle, rad; at pi no axis is found."""
    # Plain numbers: for three of them a call of NumPy takes longer than the sum.
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation.tolist()
    axis = zy - yz, xz - zx, yx - xy
    sine, cosine = math.hypot(*axis), xx + yy + zz - 1.0
    angle_rad = math.atan2(sine, cosine)
    return np.array(axis) * (angle_rad / sine if sine > 1e-12 else 0.5), angle_rad


def _check_shapes(joints: int, q0: Array, positions: Array, rotations: Array, dt: float) -> None:
    count = len(positions)
    shapes = q0.shape, positions.shape, rotations.shape
    if shapes != ((joints,), (count, 3), (count, 3, 3)):
        raise ValueError(
            f'need q0 ({joints},), positions (F, 3), rotations (F, 3, 3); got {shapes}'
        )
    if not all(np.isfinite(values).all() for values in (q0, positions, rotations)) or not dt > 0:
        raise ValueError(f'angles and poses must be finite and dt positive, got dt = {dt}')
