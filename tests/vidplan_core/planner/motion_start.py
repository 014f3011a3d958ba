# SPDX-License-Identifier: Apache-2.0
"""A start over the table, at rest or moving."""

from __future__ import annotations

import torch

from vidplan_core.geometry.fk import flange_pose, jacobian
from vidplan_core.planner.interfaces import Start

READY = torch.tensor([0.0, -0.2, 0.0, -2.4, 0.0, 2.2, 0.785])


def start_at(dq: torch.Tensor | None = None, closedness: float = 0.0) -> Start:
    """The ready pose; `dq` (7,) rad/s if it moves."""
    position, rotation = flange_pose(READY)
    speed = torch.zeros(7) if dq is None else dq
    twist = jacobian(READY) @ speed
    return Start(position, rotation, twist[:3], READY, closedness, speed, twist[3:])
