# SPDX-License-Identifier: Apache-2.0
"""Differential inverse kinematics: joint angles that follow flange poses within the limits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import mink
import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidplan_core.errors import IkError
from vidplan_core.geometry.robot import DhRow, RobotModel
from vidplan_core.geometry.robot_files import default_robot

Array = NDArray[np.float64]

_FLANGE = 'flange'


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


class _Bounds(mink.Limit):
    """Keep the angles between two vectors, however many iterations are taken."""

    def __init__(self, joints: int) -> None:
        self.lower = np.zeros(joints)
        self.upper = np.zeros(joints)
        self._matrix = np.vstack((np.eye(joints), -np.eye(joints)))

    def compute_qp_inequalities(
        self, configuration: mink.Configuration, dt: float
    ) -> mink.Constraint:
        q = configuration.q
        return mink.Constraint(self._matrix, np.concatenate((self.upper - q, q - self.lower)))


@dataclass(frozen=True)
class IkTolerance:
    """How far a solution may be from its pose before it counts as unreachable."""

    position_m: float = 1e-3
    rotation_rad: float = 5e-3


class IkSolver:
    """Follows chunks of flange poses by a quadratic program per iteration (mink, DAQP).

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
        model = mujoco.MjModel.from_xml_string(arm_mjcf(robot.chain))
        self._configuration = mink.Configuration(model)
        self._flange = mink.FrameTask(_FLANGE, 'site', position_cost=1.0, orientation_cost=0.3)
        # Weak enough to move the flange by micrometres only, see the test of its accuracy.
        self._posture = mink.PostureTask(model, cost=2e-3)
        self._tasks = [self._flange, self._posture]
        self._bounds = _Bounds(len(robot.home))

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
        for index, (position, rotation) in enumerate(zip(targets, turns, strict=True)):
            self._posture.set_target(previous + steps[index])
            angles[index] = previous = self._reach(index, previous, position, rotation, dt)
        return angles

    def _reach(
        self, index: int, previous: Array, position: Array, rotation: Array, dt: float
    ) -> Array:
        reach = self._limits.velocity * dt
        # An arm that stands outside its limits may stay there, but not go further.
        self._bounds.lower = np.maximum(np.minimum(self._limits.lower, previous), previous - reach)
        self._bounds.upper = np.minimum(np.maximum(self._limits.upper, previous), previous + reach)
        target = mink.SE3.from_rotation_and_translation(mink.SO3.from_matrix(rotation), position)
        self._flange.set_target(target)
        self._configuration.update(previous)
        error_m, error_rad = self._errors()
        for _ in range(self._max_iterations):
            last_m, last_rad = error_m, error_rad
            self._step(dt)
            error_m, error_rad = self._errors()
            if abs(last_m - error_m) < 1e-5 and abs(last_rad - error_rad) < 1e-5:
                break
        if error_m > self._tolerance.position_m or error_rad > self._tolerance.rotation_rad:
            raise IkError(index, error_m, error_rad, self._tolerance.position_m)
        return np.clip(self._configuration.q, self._bounds.lower, self._bounds.upper)

    def _step(self, dt: float) -> None:
        velocity = mink.solve_ik(
            self._configuration, self._tasks, dt, 'daqp', damping=1e-8, limits=[self._bounds]
        )
        self._configuration.integrate_inplace(velocity, dt)

    def _errors(self) -> tuple[float, float]:
        error = self._flange.compute_error(self._configuration)
        return float(np.linalg.norm(error[:3])), float(np.linalg.norm(error[3:]))


def _check_shapes(joints: int, q0: Array, positions: Array, rotations: Array, dt: float) -> None:
    count = len(positions)
    shapes = q0.shape, positions.shape, rotations.shape
    if shapes != ((joints,), (count, 3), (count, 3, 3)):
        raise ValueError(
            f'need q0 ({joints},), positions (F, 3), rotations (F, 3, 3); got {shapes}'
        )
    if not all(np.isfinite(values).all() for values in (q0, positions, rotations)) or not dt > 0:
        raise ValueError(f'angles and poses must be finite and dt positive, got dt = {dt}')
