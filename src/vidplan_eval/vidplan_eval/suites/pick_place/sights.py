# SPDX-License-Identifier: Apache-2.0
"""What the rule is given: the truth, or what the planner's locator saw in the very first look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from vidplan_core.data.observation import Observation
from vidplan_core.errors import TargetNotFoundError
from vidplan_core.geometry.camera_layout import CameraLayout
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.planner.target.locating import TargetLocator
from vidplan_core.planner.target.memory import TargetMemory
from vidplan_eval.suites.pick_place.judge import BOWL
from vidplan_sim.cell import GRIPPER_SPEED, Cell
from vidplan_sim.expert.decision import Decision
from vidplan_sim.expert.looking import lying_heights, view_of
from vidplan_sim.expert.remaining import IN_BOWL_M
from vidplan_sim.expert.rule import View

# Where fingers close around a thing of unknown shape, and where its centre is, above the table.
GRASP_M, CENTRE_M = 0.02, 0.03


class TrueSight:
    """Knows the truth, at every decision anew."""

    def __init__(self, cell: Cell, kind: str) -> None:
        """Look at a cell in which the target lies where it will be picked up."""
        self._cell, self._kind, self._lying = cell, kind, lying_heights(cell)

    def view(self, present: Observation) -> View:
        """The moment of the cell, which is the present."""
        return view_of(self._cell, self._kind, self._lying)

    def decided(self, decision: Decision, time_s: float) -> None:
        """It sees what comes of it."""


@dataclass(frozen=True)
class Looker:
    """Localises a phrase in one observation, as a planning system does."""

    locator: TargetLocator
    layout: CameraLayout

    @torch.no_grad()
    def place(self, present: Observation, phrase: str) -> np.ndarray:
        """Estimated place (3,) of a phrase, base frame, m.

        Raises:
            TargetNotFoundError: no view shows it.
        """
        views = views_of(present, self.layout)
        position, turned = flange_of(present)
        sighting = self.locator.look(views, position[None], turned[None], phrase)
        memory = TargetMemory()
        memory.update(sighting, self.locator.trust_m)
        if memory.place is None:
            raise TargetNotFoundError(
                f"no view shows '{phrase}': the best relevancy is "
                f'{float(sighting.peaks.max()):.2f}, needed {self.locator.threshold:.2f}'
            )
        return memory.place.double().numpy()


class FirstSight:
    """Localises target and bowl once; from then on it believes that all goes as it is commanded.

    Of the arm it knows what every robot knows, of the gripper what it commanded; what the closed
    fingers hold it does not know and takes for granted.
    """

    def __init__(self, looker: Looker, noun: str) -> None:
        """See with a looker; `noun` is the target's."""
        self._looker, self._noun = looker, noun
        self._target: np.ndarray | None = None
        self._bowl = np.zeros(3)
        self._goal, self._set_point, self._heard_s = 0.0, 0.0, 0.0
        self._held = False

    def view(self, present: Observation) -> View:
        """The present as it should be."""
        if self._target is None:
            self._target = self._looker.place(present, self._noun)
            self._bowl = self._looker.place(present, BOWL)
        tool, yaw = tool_of(present)
        self._believe(tool, present.stamp_s)
        return View(
            tool=tool,
            yaw=yaw,
            target=self._target,
            grasp=np.append(self._target[:2], GRASP_M),
            grasp_yaw=yaw,
            bowl=self._bowl,
            goal=self._goal,
            set_point=self._set_point,
            held=self._held,
            lying_m=CENTRE_M,
        )

    def decided(self, decision: Decision, time_s: float) -> None:
        """Remember what the gripper is commanded."""
        self._goal = decision.closedness

    def _believe(self, tool: np.ndarray, now_s: float) -> None:
        """Where the hand's command has got, and with it the target."""
        most = GRIPPER_SPEED * (now_s - self._heard_s)
        self._set_point += float(np.clip(self._goal - self._set_point, -most, most))
        self._heard_s = now_s
        closed, let_go = self._goal > 0.5 and self._set_point >= 0.999, self._goal < 0.5
        if self._held and let_go:
            self._held, self._target = False, np.append(tool[:2], IN_BOWL_M)
        elif closed:
            self._held, self._target = True, tool.copy()


def tool_of(present: Observation) -> tuple[np.ndarray, float]:
    """Tool centre point (3,) and yaw of the hand's x axis, from an observation."""
    position, rotation = flange_of(present)
    hand_x = rotation.double().numpy() @ np.array([np.cos(np.pi / 4), -np.sin(np.pi / 4), 0.0])
    tool = tcp_position(position, rotation).double().numpy()
    return tool, float(np.arctan2(hand_x[1], hand_x[0]))


def views_of(present: Observation, layout: CameraLayout) -> torch.Tensor:
    """Views (1, views, 3, height, width) in [0, 1] of an observation."""
    height = len(present.image) // len(layout.views)
    image = torch.from_numpy(present.image)[None].unflatten(1, (-1, height))
    return image.permute(0, 1, 4, 2, 3).float() / 255.0


def flange_of(present: Observation) -> tuple[torch.Tensor, torch.Tensor]:
    """Flange position (3,) m and rotation (3, 3), from an observation."""
    position = torch.as_tensor(present.position, dtype=torch.float32)
    return position, quaternion_to_matrix(torch.as_tensor(present.quaternion).float())
