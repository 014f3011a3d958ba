# SPDX-License-Identifier: Apache-2.0
"""What the folding rule is given by who sees pictures only; nothing here was learned by folding.

The scorer's map of 'towel' says where its colour is found; the pixels of that colour, seen on the
table by all cameras, give the outline; over a corner, the wrist camera alone shows its tip.
"""

from __future__ import annotations

import numpy as np
import torch

from vidplan_core.data.observation import Observation
from vidplan_core.errors import TargetNotFoundError
from vidplan_core.geometry.camera_layout import CameraLayout
from vidplan_core.planner.target.locating import TargetLocator
from vidplan_core.planner.target.outline import (
    Square,
    alike,
    area_m2,
    corner_tip,
    smallest_square,
)
from vidplan_eval.suites.pick_place.sights import Looker, flange_of, tool_of
from vidplan_sim.cell import GRIPPER_SPEED
from vidplan_sim.expert.decision import Decision
from vidplan_sim.expert.folding import GRASP_INSIDE_M, OVER_M, FoldView
from vidplan_sim.expert.towel_sight import REACHED_AREA_M

PHRASE = 'towel'
CLOTH_M = 0.005  # height of the cloth's surface above the table
AROUND_M = 0.17  # from its middle that its pixels may lie
SIDE_M = (0.14, 0.26)  # of what may be a towel
HALF = 0.72  # of the area at first, below which it is folded
NEAR_M = 0.03  # from over the corner, where the wrist camera is asked


class PictureSight:
    """Finds the towel in the first look and its corner over it; believes that the rest goes well.

    At the end it looks again: an outline as large as before was not folded, and it begins anew.
    """

    def __init__(self, locator: TargetLocator, layout: CameraLayout) -> None:
        """See with a planning system's locator."""
        self._locator, self._layout = locator, layout
        self._looker = Looker(locator, layout)
        self._square: Square | None = None
        self._area_m2 = 0.0
        self._tip, self._far = np.zeros(3), np.zeros(3)
        self._goal, self._set_point, self._heard_s = 0.0, 0.0, 0.0
        self._held = self._looked = False

    def view(self, present: Observation) -> FoldView:
        """The present as it should be.

        Raises:
            TargetNotFoundError: no view shows a towel, it is not square, or out of reach.
        """
        if self._square is None:
            self._find(present)
        tool, yaw = tool_of(present)
        self._believe(tool, present)
        way = _unit(self._far - self._start)
        self._look_closer(present, tool, -way)
        return FoldView(
            tool=tool, yaw=yaw, tip=self._tip, outward=-way, far=self._far, toward=-way,
            goal=self._goal, set_point=self._set_point, held=self._held,
        )  # fmt: skip

    def decided(self, decision: Decision, time_s: float) -> None:
        """Remember what the gripper is commanded."""
        self._goal = decision.closedness

    def _find(self, present: Observation) -> None:
        points = np.concatenate(list(self._seen(present).values()))
        try:
            square = smallest_square(points)
        except ValueError as error:
            raise TargetNotFoundError(f"no outline of '{PHRASE}': {error}") from error
        if not SIDE_M[0] < square.side_m < SIDE_M[1]:
            raise TargetNotFoundError(
                f"what looks like '{PHRASE}' has a side of {square.side_m:.2f} m, expected "
                f'{SIDE_M[0]} to {SIDE_M[1]}: it is not spread out, or in part hidden'
            )
        self._square, self._area_m2 = square, area_m2(points)
        tool, _ = tool_of(present)
        corner = _nearest_reached(square, tool)
        self._start = np.append(square.corners[corner], CLOTH_M)
        self._far = np.append(square.corners[(corner + 2) % 4], CLOTH_M)
        self._tip, self._looked = self._start, False

    def _look_closer(self, present: Observation, tool: np.ndarray, outward: np.ndarray) -> None:
        """Over the corner, take its tip from the wrist camera."""
        over = self._tip[:2] - GRASP_INSIDE_M * outward
        if self._looked or self._held or np.linalg.norm(tool[:2] - over) > NEAR_M:
            return
        if tool[2] > OVER_M + 0.03 or tool[2] < 0.05:
            return
        views = self._seen(present)
        wrist = next((view for view in views if 'wrist' in view), None)
        tip = None if wrist is None else corner_tip(views[wrist], self._tip[:2], outward)
        if tip is not None:
            moved = tip - self._start[:2]
            self._start = self._tip = np.append(tip, CLOTH_M)
            self._far = self._far + np.append(moved, 0.0)
            self._looked = True

    def _believe(self, tool: np.ndarray, present: Observation) -> None:
        """Where the hand's command has got, and with it the cloth."""
        most = GRIPPER_SPEED * (present.stamp_s - self._heard_s)
        self._set_point += float(np.clip(self._goal - self._set_point, -most, most))
        self._heard_s = present.stamp_s
        if self._goal > 0.5 and self._set_point >= 0.999:
            self._held, self._tip = True, tool
        elif self._held and self._goal < 0.5:
            self._held, self._tip = False, self._far
        folded = np.array_equal(self._tip, self._far)
        if folded and tool[2] > OVER_M and not self._confirmed(present):
            self._find(present)

    def _confirmed(self, present: Observation) -> bool:
        """Whether the pictures show about half of what they showed at first."""
        points = np.concatenate(list(self._seen(present).values()))
        return area_m2(points) < HALF * self._area_m2

    @torch.no_grad()
    def _seen(self, present: Observation) -> dict[str, np.ndarray]:
        """Places (N, 2) on the table of the towel's pixels, by view."""
        position, turned = flange_of(present)
        height = len(present.image) // len(self._layout.views)
        image = torch.from_numpy(present.image)[None].unflatten(1, (-1, height))
        views = image.permute(0, 1, 4, 2, 3).float() / 255.0
        middle = self._looker.place(present, PHRASE)[:2]
        maps = self._locator.look(views, position[None], turned[None], PHRASE).maps[0]
        found = {}
        for index, (view, camera) in enumerate(self._locator.cameras.items()):
            picture = views[0, index].permute(1, 2, 0).numpy()
            ys, xs = np.nonzero(alike(picture, maps[index].numpy()))
            at = np.stack([(xs + 0.5) / picture.shape[1], (ys + 0.5) / picture.shape[0]], axis=1)
            pixels = torch.from_numpy(at).float()
            on_table = camera.on_plane(pixels, position[None], turned[None], CLOTH_M).numpy()
            near = np.linalg.norm(on_table[:, :2] - middle, axis=1) < AROUND_M
            found[view] = on_table[near, :2]
        return found


def _nearest_reached(square: Square, tool: np.ndarray) -> int:
    """The corner nearest to the tool of those that it can reach with the corner opposite."""
    (x0, x1), (y0, y1) = REACHED_AREA_M
    low, high = np.array([x0, y0]), np.array([x1, y1])
    corners = square.corners
    fits = [bool((corner >= low).all() and (corner <= high).all()) for corner in corners]
    open_ways = [k for k in range(4) if fits[k] and fits[(k + 2) % 4]]
    if not open_ways:
        raise TargetNotFoundError('no two opposite corners of the towel are within reach')
    return min(open_ways, key=lambda k: float(np.linalg.norm(corners[k] - tool[:2])))


def _unit(way: np.ndarray) -> np.ndarray:
    flat: np.ndarray = way[:2] / max(float(np.linalg.norm(way[:2])), 1e-9)
    return flat
