# SPDX-License-Identifier: Apache-2.0
"""What the folding rule sees of a cell: the truth about the towel's corners."""

from __future__ import annotations

import numpy as np

from vidplan_sim.arm.kinematics import (
    UnreachablePose,
    down_rotation,
    forward,
    solve_ik,
    tcp_to_flange,
)
from vidplan_sim.cell import Cell
from vidplan_sim.expert.folding import FoldView, arc_point, hand_yaw
from vidplan_sim.expert.looking import touch
from vidplan_sim.objects import cloth

REACHED_AREA_M = ((0.31, 0.71), (-0.34, 0.34))  # x and y of the tool
ROOM_M = 0.14  # from a corner to other things: beyond this, more makes no difference


class TowelSight:
    """Watches the towel of a cell and keeps to the corner that is to be moved."""

    def __init__(self, cell: Cell) -> None:
        """Look at a cell in which the towel lies spread out.

        Raises:
            UnreachablePose: no corner can be reached and carried over.
        """
        self._cell = cell
        self.corner = self._choose()

    def view(self) -> FoldView:
        """The present moment."""
        return self._seen(self.corner)

    def _seen(self, corner: int) -> FoldView:
        cell, mesh = self._cell, self._cell.cloth()
        _, rotation, jacobian = forward(cell.q)
        hand_x = rotation @ np.array([np.cos(np.pi / 4), -np.sin(np.pi / 4), 0.0])
        tip, left, far, right = (mesh[cloth.CORNERS[(corner + k) % 4]] for k in range(4))
        goal, set_point = cell.gripper_command
        return FoldView(
            tool=cell.tcp,
            yaw=float(np.arctan2(hand_x[1], hand_x[0])),
            tip=tip,
            outward=_unit(tip - _inside(mesh, corner)),
            far=far,
            toward=_unit((left + right) / 2 - far),
            goal=goal,
            set_point=set_point,
            held=touch(cell).held == cloth.NAME,
            velocity=jacobian[:3] @ cell.dq,
        )

    def _choose(self) -> int:
        """The reachable corner with the most room around it, then the nearest."""
        found = []
        for corner in range(4):
            view = self._seen(corner)
            if _can_fold(view, self._cell.q):
                near = float(np.linalg.norm(view.tip - view.tool))
                found.append((min(self._room(view.tip), ROOM_M) - 0.05 * near, corner))
        if not found:
            raise UnreachablePose('no corner of the towel can be reached and carried over')
        return max(found)[1]

    def _room(self, tip: np.ndarray) -> float:
        others = [place for kind, place in self._cell.truth().items() if kind != cloth.NAME]
        return min(float(np.linalg.norm((place - tip)[:2])) for place in others)


def _inside(mesh: np.ndarray, corner: int) -> np.ndarray:
    """The vertex (3,) two further in along the corner's diagonal."""
    i, j = cloth.CORNERS[corner]
    step = 2 if i == 0 else -2, 2 if j == 0 else -2
    found: np.ndarray = mesh[i + step[0], j + step[1]]
    return found


def _can_fold(view: FoldView, q: np.ndarray) -> bool:
    """Whether the arm reaches the corner, the top of the arc and its end."""
    rotation = down_rotation(hand_yaw(view.outward, view.yaw))
    for point in (view.grasp, arc_point(view, np.pi / 2), arc_point(view, np.pi)):
        inside = [low <= at <= high
                  for at, (low, high) in zip(point[:2], REACHED_AREA_M, strict=True)]
        if not all(inside):
            return False
        try:
            q = solve_ik(tcp_to_flange(point, rotation), rotation, q)
        except UnreachablePose:
            return False
    return True


def _unit(way: np.ndarray) -> np.ndarray:
    flat: np.ndarray = way[:2] / max(float(np.linalg.norm(way[:2])), 1e-9)
    return flat
