# SPDX-License-Identifier: Apache-2.0
"""The pushing rule in the place of a planner: what it knows is a matter of who looks for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vidplan_core.data.observation import Observation
from vidplan_eval.suites.judging.rule import DecidingPlanner, RuleChoice
from vidplan_eval.suites.pick_place.sights import Looker, tool_of
from vidplan_sim.cell import Cell
from vidplan_sim.expert.pushing import PushView, decide_push, stroke_place
from vidplan_sim.push_scenes import HEADINGS

# Where the thing is, (3,), base frame, m, at a moment.
PushSight = Callable[[Observation], np.ndarray]


class PushPlanner(DecidingPlanner):
    """Pushes by the rule what a sight sees."""

    def __init__(self, sight: PushSight, way: str, period_s: float) -> None:
        super().__init__(period_s)
        self._sight, self._heading = sight, np.array(HEADINGS[way])
        self._before: np.ndarray | None = None

    def decide(self, present: Observation) -> RuleChoice:
        """The rule's decision for what is seen."""
        place = self._sight(present)
        if self._before is None:
            self._before = place[:2].copy()
        tool, _ = tool_of(present)
        view = PushView(
            tool=tool, place=place[:2], before=self._before, toward=self._heading,
            closed=present.closedness,
        )  # fmt: skip
        decision, phase = decide_push(view)
        far_m = float(np.linalg.norm(place[:2] - tool[:2]))
        return RuleChoice(decision, phase == 'done', place, far_m)


def true_sight(cell: Cell, kind: str) -> PushSight:
    """Who knows the truth, at every decision anew."""
    return lambda present: cell.truth()[kind]


class FirstPushSight:
    """Localises the thing once, and believes from then on that it goes where the hand pushes it.

    Attributes:
        place: (3,), base frame, m; None before the first look.
    """

    def __init__(self, looker: Looker, noun: str, way: str) -> None:
        self._looker, self._noun, self._heading = looker, noun, np.array(HEADINGS[way])
        self.place: np.ndarray | None = None

    def __call__(self, present: Observation) -> np.ndarray:
        """Where it should be by now."""
        if self.place is None:
            self.place = self._looker.place(present, self._noun)
        tool, _ = tool_of(present)
        self.place[:2] = stroke_place(tool, self.place[:2], self._heading)
        return self.place
