# SPDX-License-Identifier: Apache-2.0
"""Drives the cell's arm through the same chunks, kinematics and time law as the planner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from vidplan_core.errors import IkError
from vidplan_core.geometry.fk import flange_pose, jacobian
from vidplan_core.geometry.ik import IkSolver
from vidplan_core.planner.motion.hermite import hermite_chunk
from vidplan_sim.arm.kinematics import ARM_JOINTS
from vidplan_sim.arm.trajectory_controller import Point
from vidplan_sim.expert.decision import Decision

if TYPE_CHECKING:
    from vidplan_sim.cell import Cell

FRAMES = 5
PERIOD_S = 0.2


class Motion:
    """Replaces the running trajectory by the next decision, from the commanded state."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._ik = IkSolver()
        self.rejected = 0

    @property
    def tcp(self) -> np.ndarray:
        """Tool centre point (3,) in the base frame, m."""
        return np.asarray(self._cell.tcp)

    def start(self, decision: Decision) -> None:
        """Send the chunk of a decision; an unreachable one leaves the arm on its way to rest."""
        q, dq = (torch.as_tensor(v, dtype=torch.float64) for v in self._commanded())
        position, rotation = flange_pose(q)
        velocity, turn_rate = (jacobian(q) @ dq).split(3)
        turn = torch.tensor([[0.0, 0.0, decision.turn_rad]], dtype=torch.float64)
        move = torch.as_tensor(decision.displacement, dtype=torch.float64)[None]
        chunk = hermite_chunk(
            position, rotation, velocity, move, turn, decision.closedness, FRAMES, PERIOD_S,
            turn_rate,
        )  # fmt: skip
        try:
            waypoints = self._ik.track(
                q.numpy(), chunk.position[0].numpy(), chunk.rotation[0].numpy(), PERIOD_S
            )
        except IkError:
            self.rejected += 1
            return
        self._send(waypoints)
        self._cell.send_gripper(decision.closedness)

    def _commanded(self) -> tuple[np.ndarray, np.ndarray]:
        return self._cell.controller.sample(self._cell.time_s)

    def _send(self, waypoints: np.ndarray) -> None:
        velocities = np.zeros_like(waypoints)
        velocities[1:-1] = (waypoints[2:] - waypoints[:-2]) / (2 * PERIOD_S)
        points = [
            Point(list(q), list(dq), None, PERIOD_S * (index + 1))
            for index, (q, dq) in enumerate(zip(waypoints[1:], velocities[1:], strict=True))
        ]
        self._cell.send_trajectory(ARM_JOINTS, points)
