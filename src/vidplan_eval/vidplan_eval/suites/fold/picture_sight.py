# SPDX-License-Identifier: Apache-2.0
"""What the folding rule is given by who sees pictures only; nothing here was learned by folding.

The towel is looked at once, its corner once more from over it, and the fold in the end; in
between it is believed to go where the hand carries it.
"""

from __future__ import annotations

import numpy as np

from vidplan_core.data.observation import Observation
from vidplan_core.errors import TargetNotFoundError
from vidplan_core.geometry.camera_layout import CameraLayout
from vidplan_core.planner.target.cloth import SURFACE_M, ClothFinder, ClothSighting
from vidplan_core.planner.target.locating import TargetLocator
from vidplan_core.planner.target.outline import Square, corner_tip
from vidplan_eval.suites.pick_place.sights import flange_of, tool_of, views_of
from vidplan_sim.cell import GRIPPER_SPEED
from vidplan_sim.expert.decision import Decision
from vidplan_sim.expert.folding import GRASP_INSIDE_M, OVER_M, FoldView
from vidplan_sim.expert.towel_sight import REACHED_AREA_M

PHRASE = 'towel'
SIDE_M = (0.14, 0.26)  # of what may be a towel
HALF = 0.72  # of the area at first, below which it is folded
NEAR_M = 0.03  # from over the corner, where the wrist camera is asked
LOWEST_LOOK_M = 0.05


class PictureSight:
    """Finds the towel in the first look and its corner over it; believes that the rest goes well.

    An outline that is as large at the end as before was not folded: it begins anew.
    """

    def __init__(self, locator: TargetLocator, layout: CameraLayout) -> None:
        """See with a planning system's locator."""
        self._finder, self._layout = ClothFinder(locator), layout
        self._found = self._looked = self._held = False
        self._area_m2 = 0.0
        self._tip, self._far, self._toward = np.zeros(3), np.zeros(3), np.zeros(2)
        self._goal, self._set_point, self._heard_s = 0.0, 0.0, 0.0

    def view(self, present: Observation) -> FoldView:
        """The present as it should be.

        Raises:
            TargetNotFoundError: no view shows a towel, it is not square, or out of reach.
        """
        tool, yaw = tool_of(present)
        self._believe(tool, present.stamp_s)
        folded = np.array_equal(self._tip, self._far)
        if not self._found or (folded and tool[2] > OVER_M and not self._half(present)):
            self._find(present, tool)
        self._look_closer(present, tool)
        return FoldView(
            tool=tool, yaw=yaw, tip=self._tip, outward=self._toward, far=self._far,
            toward=self._toward, goal=self._goal, set_point=self._set_point, held=self._held,
        )  # fmt: skip

    def decided(self, decision: Decision, time_s: float) -> None:
        """Remember what the gripper is commanded."""
        self._goal = decision.closedness

    def _find(self, present: Observation, tool: np.ndarray) -> None:
        seen = self._seen(present)
        square = seen.square()
        if not SIDE_M[0] < square.side_m < SIDE_M[1]:
            raise TargetNotFoundError(
                f"what looks like '{PHRASE}' has a side of {square.side_m:.2f} m, expected "
                f'{SIDE_M[0]} to {SIDE_M[1]}: it is not spread out, or in part hidden'
            )
        corner = nearest_reached(square, tool)
        self._tip = np.append(square.corners[corner], SURFACE_M)
        self._far = np.append(square.corners[(corner + 2) % 4], SURFACE_M)
        way = (self._tip - self._far)[:2]
        self._toward = way / float(np.linalg.norm(way))
        self._found, self._looked, self._area_m2 = True, False, seen.area_m2

    def _look_closer(self, present: Observation, tool: np.ndarray) -> None:
        """Over the corner, take its tip from the wrist camera."""
        over = self._tip[:2] - GRASP_INSIDE_M * self._toward
        high = not LOWEST_LOOK_M < tool[2] < OVER_M + NEAR_M
        if self._looked or self._held or high or np.linalg.norm(tool[:2] - over) > NEAR_M:
            return
        views = self._seen(present).views
        wrist = next((view for view in views if 'wrist' in view), None)
        tip = None if wrist is None else corner_tip(
            views[wrist].places, self._tip[:2], self._toward
        )  # fmt: skip
        if tip is not None:
            moved = np.append(tip - self._tip[:2], 0.0)
            self._tip, self._far, self._looked = self._tip + moved, self._far + moved, True

    def _believe(self, tool: np.ndarray, now_s: float) -> None:
        """Where the hand's command has got, and with it the cloth."""
        most = GRIPPER_SPEED * (now_s - self._heard_s)
        self._set_point += float(np.clip(self._goal - self._set_point, -most, most))
        self._heard_s = now_s
        if self._goal > 0.5 and self._set_point >= 0.999:
            self._held, self._tip = True, tool
        elif self._held and self._goal < 0.5:
            self._held, self._tip = False, self._far

    def _half(self, present: Observation) -> bool:
        """Whether the pictures show about half of what they showed at first."""
        return self._seen(present).area_m2 < HALF * self._area_m2

    def _seen(self, present: Observation) -> ClothSighting:
        position, turned = flange_of(present)
        views = views_of(present, self._layout)
        return self._finder.look(views, position[None], turned[None], PHRASE)


def nearest_reached(square: Square, tool: np.ndarray) -> int:
    """The corner nearest to the tool (3,) of those that it can reach with the one opposite.

    Raises:
        TargetNotFoundError: there are none.
    """
    low, high = np.transpose(REACHED_AREA_M)
    corners = square.corners
    fits = [bool((corner >= low).all() and (corner <= high).all()) for corner in corners]
    ways = [k for k in range(4) if fits[k] and fits[(k + 2) % 4]]
    if not ways:
        raise TargetNotFoundError('no two opposite corners of the towel are within reach')
    return min(ways, key=lambda k: float(np.linalg.norm(corners[k] - tool[:2])))
