# SPDX-License-Identifier: Apache-2.0
"""The boxes, in the robot base frame, that the arm's tool must stay in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

Point = tuple[float, float, float]

# Poses computed to lie on a face may miss it by rounding.
_ROUNDING_M = 1e-6


@dataclass(frozen=True)
class WorkspaceBox:
    """An axis-aligned box in the robot base frame, m; the table top is at z = 0."""

    lower: Point
    upper: Point

    def __post_init__(self) -> None:
        lower, upper = np.asarray(self.lower, float), np.asarray(self.upper, float)
        if lower.shape != (3,) or upper.shape != (3,) or not (lower < upper).all():
            raise ValueError(
                f'a box needs three lower below three upper, got {self.lower}, {self.upper}'
            )

    def violation(self, points: ArrayLike, what: str) -> str | None:
        """Say which of the points (..., 3) of `what` lies outside, or None; NaN is outside."""
        rows = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        inside = (rows >= np.asarray(self.lower) - _ROUNDING_M) & (
            rows <= np.asarray(self.upper) + _ROUNDING_M
        )
        if inside.all():
            return None
        row, axis = np.argwhere(~inside)[0]
        return (
            f'{what} {row} has {"xyz"[axis]} = {rows[row, axis]:.4f} m, '
            f'allowed {self.lower[axis]:.4f} .. {self.upper[axis]:.4f}'
        )


# Where plans may put the tool centre point: all of the table that both scene cameras see.
PLANNING_BOX = WorkspaceBox(lower=(0.30, -0.35, 0.01), upper=(0.72, 0.35, 0.50))

# Where a command may put the tool centre point: room for rounding and the spline between poses.
COMMAND_BOX = WorkspaceBox(lower=(0.25, -0.40, 0.003), upper=(0.75, 0.40, 0.55))

# Where a command may put the flange: a tilted hand must not press its side into the table.
FLANGE_BOX = WorkspaceBox(lower=(0.15, -0.50, 0.06), upper=(0.85, 0.50, 0.66))
