# SPDX-License-Identifier: Apache-2.0
"""What a benchmark does: look at the cell, ask a policy server, command joints at 15 Hz."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from websockets.sync.client import ClientConnection

from vidplan_core.policy_server.wire import pack, unpack
from vidplan_sim.arm.kinematics import ARM_JOINTS
from vidplan_sim.arm.trajectory_controller import Point
from vidplan_sim.cell import Cell

RATE_HZ = 15.0


def look(cell: Cell, prompt: str) -> dict[str, Any]:
    """A request of the state of a cell."""
    seen = cell.render()
    return {
        'observation/exterior_image_1_left': seen['left'],
        'observation/exterior_image_2_left': seen['right'],
        'observation/wrist_image_left': seen['wrist'],
        'observation/joint_position': cell.q,
        'observation/gripper_position': np.array([cell.closedness]),
        'prompt': prompt,
    }


def ask(connection: ClientConnection, message: Mapping[str, Any]) -> Any:
    connection.send(pack(message))
    answer = connection.recv(timeout=60.0)
    return answer if isinstance(answer, str) else unpack(answer)


def execute(cell: Cell, actions: np.ndarray, unit_rad_s: float | None) -> None:
    """Follow joint velocities in a unit, or joint positions where there is none."""
    q = cell.q
    for command in actions:
        q = command[:7] if unit_rad_s is None else q + unit_rad_s / RATE_HZ * command[:7]
        point = Point(list(map(float, q)), time_from_start_s=1.0 / RATE_HZ)
        cell.send_trajectory(ARM_JOINTS, [point])
        cell.send_gripper(float(command[7] > 0.5))
        cell.step(1.0 / RATE_HZ)
