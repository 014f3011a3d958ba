# SPDX-License-Identifier: Apache-2.0
"""One way to fold a square cloth: a corner is carried along an arc onto the corner opposite.

The fingers go down on both sides of the corner, where the cloth is narrower than they are open.
Pulled straight, cloth crumples; carried along an arc, it folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

GRASP_INSIDE_M = 0.012  # of the corner, along the diagonal
# A fold that is drawn taut rolls on and drags the cloth along: the corner stays short of where it
# would lie flat, and slides the rest when the fold sinks down.
SHORT_M = 0.012
# Heights of the tool. Below 8 mm fingers press on the table and stick to it half open.
GRASP_M, RELEASE_M, OVER_M, ARC_M = 0.010, 0.020, 0.10, 0.075
SETTLED = 4  # steps after which an angle along the arc is known


@dataclass(frozen=True, eq=False)
class FoldWay:
    """A corner and the one that it is to lie on, base frame, m.

    Attributes:
        tip: (2,), to be moved.
        far: (2,), that it is to lie on.
        overlap: of the cloth's outline, folded so, with the half that it should be, in [0, 1].
    """

    tip: np.ndarray
    far: np.ndarray
    overlap: float = 1.0

    @cached_property
    def toward(self) -> np.ndarray:
        """Unit vector (2,) from where it is to lie to where it lies."""
        way: np.ndarray = self.tip - self.far
        return way / max(float(np.linalg.norm(way)), 1e-9)

    @property
    def half_m(self) -> float:
        """Half of the diagonal."""
        return 0.5 * float(np.linalg.norm(self.tip - self.far))

    @property
    def radius_m(self) -> float:
        """Of the arc: from the line of the fold to the fingers."""
        return self.half_m - GRASP_INSIDE_M

    @property
    def grasp(self) -> np.ndarray:
        """Where the fingers close, (3,)."""
        return np.append(self.tip - GRASP_INSIDE_M * self.toward, GRASP_M)

    @property
    def over(self) -> np.ndarray:
        """Above that, (3,), where the wrist camera sees the corner."""
        return np.append(self.grasp[:2], OVER_M)

    @property
    def release(self) -> np.ndarray:
        """Where the fingers open, (3,)."""
        return self.arc(np.pi)

    def arc(self, angle: float | np.ndarray, height_m: float = ARC_M) -> np.ndarray:
        """Where the fingers carry the corner, (..., 3): 0 over where it lay, pi at the other."""
        turn = np.asarray(angle, float)
        along = self.half_m + self.radius_m * np.cos(turn) + SHORT_M * turn / np.pi
        height = GRASP_M + (RELEASE_M - GRASP_M) * turn / np.pi + height_m * np.sin(turn)
        return np.concatenate(
            [self.far + along[..., None] * self.toward, height[..., None]], axis=-1
        )

    def angle(self, tool: np.ndarray) -> np.ndarray:
        """How far along the arc tools (..., 3) are, rad in [0, pi], by where they are."""
        along = (tool[..., :2] - self.far) @ self.toward - self.half_m
        found: np.ndarray = np.zeros_like(along)
        for _ in range(SETTLED):  # the arc ends short by a share of its angle
            short = SHORT_M * found / np.pi
            found = np.arccos(np.clip((along - short) / self.radius_m, -1.0, 1.0))
        return found

    def yaw(self, near: float, home: float = 0.0) -> float:
        """Hand yaw that closes the fingers across the diagonal, of both the nearer to `near`.

        Half a turn gives the same grasp; near `home` the last joint stays well inside its range.
        """
        yaw = float(np.arctan2(self.toward[1], self.toward[0])) - home
        turned = yaw + np.pi * np.round((near - home - yaw) / np.pi)
        while abs(turned) > np.pi / 2 + 0.2:
            turned -= np.pi * np.sign(turned)
        return float(turned + home)

    def shifted(self, by: np.ndarray) -> FoldWay:
        """The same where the cloth lies elsewhere by (2,) m."""
        return FoldWay(self.tip + by, self.far + by, self.overlap)
