# SPDX-License-Identifier: Apache-2.0
"""The position servos of the simulated arm: their commands, and their torque limits."""

from __future__ import annotations

import mujoco
import numpy as np

ARM = slice(0, 7)


class ArmServos:
    """Turns positions and velocities that are wanted into controls of the arm's actuators.

    MuJoCo integrates the servos' damping implicitly, which needs no small steps, but only while
    they are not at their limit. There it was explicit, and 12 N m on 0.08 kg m^2 for 4 ms turn
    0.3 rad/s into -0.3 rad/s: once hit, the wrist went to and fro for ever. So the limit is kept
    by the control instead, where it does not switch the damping off.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        """Take over the torque limits of a model's first seven joints."""
        self._stiffness = model.actuator_gainprm[ARM, 0].copy()
        self._damping = -model.actuator_biasprm[ARM, 2]
        # Servos brake against their own velocity; a control this much ahead of the position
        # cancels that, so a smooth trajectory is followed without lag.
        self._lead_s = self._damping / self._stiffness
        self._torque = model.jnt_actfrcrange[ARM, 1].copy()
        model.jnt_actfrclimited[ARM] = 0

    def control(
        self, q: np.ndarray, dq: np.ndarray, goal: np.ndarray, speed: np.ndarray
    ) -> np.ndarray:
        """Return the controls (7,) rad.

        Args:
            q: measured positions (7,) rad.
            dq: measured velocities (7,) rad/s.
            goal: wanted positions (7,) rad.
            speed: wanted velocities (7,) rad/s.
        """
        control = goal + self._lead_s * speed
        torque = self._stiffness * (control - q) - self._damping * dq
        over = np.abs(torque) > self._torque
        if not over.any():
            return control
        within = np.clip(torque, -self._torque, self._torque) + self._damping * dq
        return np.where(over, q + within / self._stiffness, control)
