# SPDX-License-Identifier: Apache-2.0
"""Looks of an arm at rest over a table with something red on it, for a tiny world model."""

from __future__ import annotations

import numpy as np
import torch

from vidplan_core.data.observation import Observation
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.se3 import matrix_to_quaternion

Q = np.array([0.0, -0.785, 0.0, -2.356, 0.0, 1.571, 0.785])


def looks(first_s: float = 10.0, period_s: float = 0.2, red: bool = True) -> list[Observation]:
    """Two observations, oldest first; without anything `red` the views are grey."""
    image = np.full((96, 64, 3), 90, np.uint8)
    if red:
        image[12:20, 24:36] = image[44:52, 24:36] = (250, 5, 5)
    position, rotation = flange_pose(torch.from_numpy(Q))
    quaternion = matrix_to_quaternion(rotation).numpy()
    return [
        Observation(
            first_s + number * period_s, image, Q, np.zeros(7), 0.0, position.numpy(), quaternion
        )
        for number in range(2)
    ]
