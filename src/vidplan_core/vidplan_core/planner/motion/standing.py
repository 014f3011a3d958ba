# SPDX-License-Identifier: Apache-2.0
"""Whether the hand stands: what a task is judged by once it does."""

from __future__ import annotations

import torch

from vidplan_core.data.observation import Observation
from vidplan_core.geometry.fk import jacobian
from vidplan_core.geometry.robot import RobotModel

# The hand counts as standing below these speeds. Joints may still turn around it: an arm with
# seven of them goes on to a better posture while its hand stays where it is.
REST_M_S, REST_RAD_S = 0.01, 0.05


def hand_stands(seen: Observation, robot: RobotModel) -> bool:
    """Whether joints that move as in an observation leave the flange where it is."""
    q, dq = torch.as_tensor(seen.q).double(), torch.as_tensor(seen.dq).double()
    moving, turning = (jacobian(q, robot) @ dq).split(3)
    return float(moving.norm()) < REST_M_S and float(turning.norm()) < REST_RAD_S
