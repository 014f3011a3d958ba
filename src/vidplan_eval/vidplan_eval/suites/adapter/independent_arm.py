# SPDX-License-Identifier: Apache-2.0
"""An FR3 that follows trajectories, and what Franka and its meshes allow it.

Nothing of the adapter, its geometry or its robot files is used here: trajectories are followed by
SciPy's polynomials, limits are Franka's documented ones, links are the exact meshes in MuJoCo.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BPoly

from vidplan_sim.arm.franka import FINGER_OPEN_M, load_robot

Array = NDArray[np.float64]
Box = tuple[Sequence[float], Sequence[float]]

# Franka's documents, control-parameters-joint-fr3.csv; the range is the URDF's, which is narrower.
_LOWER = np.array([-2.7437, -1.7837, -2.9007, -3.0421, -2.8065, 0.5445, -3.0159])
_UPPER = np.array([2.7437, 1.7837, 2.9007, -0.1518, 2.8065, 4.5169, 3.0159])
_SPEED = np.array([2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26])
_DECELERATION = np.array([6.0, 2.585, 3.5, 4.0, 17.0, 5.5, 17.0])
_OFFSET = np.array([0.6599, 0.2517, 0.2, 0.3533, 0.5757, 0.4878, 0.4628])
_END = np.array([2.9007, 1.8361, 2.9007, -0.1169, 2.8763, 4.6216, 3.0508])
_START = np.array([-2.9007, -1.8361, -2.9007, -3.0770, -2.8763, 0.4398, -3.0508])
_ACCELERATION, _JERK = 10.0, 5000.0

_TICK_S, _POSTURES_S = 1e-3, 0.02
_TOOL_M = 0.1034
# Tips of the open fingers are known by their corners, which lie this deep within their pads, m.
_PADS_M = 1e-3
_ARM, _AROUND = 4, 8

# What is looked for, in the order of the results.
CHECKS = (
    'position', 'velocity', 'acceleration', 'jerk', 'rest_at_end', 'link_table', 'self_collision',
    'box',
)  # fmt: skip


class IndependentArm:
    """Follows the newest trajectory from the state that it is in, as a controller would."""

    def __init__(self, q: Array, obstacles: Sequence[Box], tool: Box, flange: Box) -> None:
        """Rest at angles (7,), rad.

        Args:
            q: angles.
            obstacles: lower and upper corners of boxes where no link may be, m.
            tool: where the tool may be.
            flange: where the flange may be.
        """
        self._tool, self._flange = tool, flange
        self._model = _world(obstacles)
        self._data = mujoco.MjData(self._model)
        self._data.qpos[7:9] = FINGER_OPEN_M
        self.rest_at(q)

    def rest_at(self, q: Array) -> None:
        """Forget all motion."""
        still = np.zeros(7)
        self.follow([0.01], [q], [still], [still], 0.0, (q, still, still))

    def follow(
        self,
        times_s: Sequence[float],
        q: Sequence[Array],
        dq: Sequence[Array],
        ddq: Sequence[Array],
        now_s: float,
        moment: tuple[Array, Array, Array] | None = None,
    ) -> None:
        """Take up a trajectory at a time from the state that the arm is in, or from `moment`."""
        here = moment or self.state(np.array([now_s]), first=True)
        knots = np.array([0.0, *times_s])
        states = np.stack(
            [np.stack([start, *rows]) for start, rows in zip(here, (q, dq, ddq), strict=True)], 1
        )
        self._spline = BPoly.from_derivatives(knots, states)
        self._since_s, self._end_s, self._last = now_s, now_s + knots[-1], states[-1]

    def state(self, times_s: Array, *, first: bool = False) -> tuple[Array, Array, Array]:
        """Angles, velocities and accelerations (N, 7) at times (N,), or (7,) at the first."""
        elapsed = np.minimum(times_s, self._end_s) - self._since_s
        found = [np.asarray(self._spline(elapsed, order)) for order in range(3)]
        for order in (1, 2):
            found[order][times_s > self._end_s] = 0.0
        return (
            (found[0][0], found[1][0], found[2][0]) if first else (found[0], found[1], found[2])
        )

    def violations(self, before: Array) -> set[str]:
        """Which of CHECKS the motion from now to rest fails.

        Args:
            before: accelerations (7,) one tick before the motion began, rad/s^2.
        """
        count = round((self._end_s - self._since_s) / _TICK_S) + 2
        q, dq, ddq = self.state(self._since_s + _TICK_S * np.arange(count))
        fast = np.minimum(_SPEED, _falling(_END - q)), np.minimum(_SPEED, _falling(q - _START))
        jerk = np.diff(np.concatenate((before[None], ddq)), axis=0) / _TICK_S
        rest = np.abs(self._last[1:]).max()
        found = {
            'position': (q < _LOWER).any() or (q > _UPPER).any() or not np.isfinite(q).all(),
            'velocity': (dq > fast[0]).any() or (-dq > fast[1]).any(),
            'acceleration': (np.abs(ddq) > _ACCELERATION).any(),
            'jerk': (np.abs(jerk) > _JERK).any(),
            'rest_at_end': rest > 0,
        }
        return {name for name, wrong in found.items() if wrong} | self._touches(q)

    def _touches(self, q: Array) -> set[str]:
        found: set[str] = set()
        for row in range(0, len(q), round(_POSTURES_S / _TICK_S)):
            self._data.qpos[:7] = q[row]
            mujoco.mj_kinematics(self._model, self._data)
            mujoco.mj_collision(self._model, self._data)
            found |= {self._what(self._data.contact[i]) for i in range(self._data.ncon)}
            hand = self._data.body('hand')
            tool = hand.xpos + _TOOL_M * hand.xmat.reshape(3, 3)[:, 2]
            if _outside(tool, self._tool) or _outside(hand.xpos, self._flange):
                found.add('box')
        return found - {''}

    def _what(self, contact: mujoco._structs._MjContact) -> str:
        model = self._model
        bodies = [model.body(model.geom_bodyid[geom]).name for geom in contact.geom]
        if 'world' not in bodies:
            return 'self_collision' if contact.dist < 0 else ''
        fingers = any('finger' in name for name in bodies)
        if contact.dist > -(_PADS_M if fingers else 0.0):
            return ''
        planes = [model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_PLANE for geom in contact.geom]
        return 'link_table' if any(planes) else 'box'


def _world(obstacles: Sequence[Box]) -> mujoco.MjModel:
    """The arm over a plane with boxes; what stands on the table may touch it."""
    spec = load_robot()
    for geom in spec.geoms:
        if geom.contype:
            on_table = geom.parent.name in ('fr3_link0', 'fr3_link1')
            geom.contype, geom.conaffinity = _ARM, _ARM | (0 if on_table else _AROUND)
    around = {'contype': _AROUND, 'conaffinity': 0}
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[2, 2, 0.1], **around)
    for low, high in obstacles:
        middle, half = np.add(low, high) / 2, np.subtract(high, low) / 2
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX, pos=middle.tolist(), size=half.tolist(), **around
        )
    return spec.compile()


def _falling(room: Array) -> Array:
    """The speed allowed so far from the end of a joint, docs, robot_specifications.rst."""
    return np.asarray(
        np.maximum(0.0, np.sqrt(np.maximum(0.0, 2 * _DECELERATION * room)) - _OFFSET)
    )


def _outside(point: Array, box: Box) -> bool:
    return bool((point < np.asarray(box[0])).any() or (point > np.asarray(box[1])).any())
