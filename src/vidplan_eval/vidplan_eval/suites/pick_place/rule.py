# SPDX-License-Identifier: Apache-2.0
"""The expert's rule in the place of a planner: what it knows is a matter of who looks for it."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from vidplan_core.data.observation import Observation
from vidplan_eval.suites.judging.rule import DecidingPlanner, RuleChoice
from vidplan_sim.expert.decision import PLACE, Decision, PickPlaceTask
from vidplan_sim.expert.rule import View, decide


class Sight(Protocol):
    """Whoever tells the rule where things are."""

    def view(self, present: Observation) -> View:
        """The present moment.

        Raises:
            TargetNotFoundError: it does not see what the task names.
        """
        ...

    def decided(self, decision: Decision, time_s: float) -> None:
        """Hear what was decided at a time."""
        ...


class RulePlanner(DecidingPlanner):
    """Places by the expert's rule what a sight sees."""

    def __init__(self, sight: Sight, kind: str, period_s: float) -> None:
        super().__init__(period_s)
        self._sight, self._task = sight, PickPlaceTask(PLACE, kind)

    def decide(self, present: Observation) -> RuleChoice:
        """The expert's decision for what is seen."""
        view = self._sight.view(present)
        decision, phase = decide(view, self._task)
        self._sight.decided(decision, present.stamp_s)
        far_m = float(np.linalg.norm(view.target - view.tool))
        return RuleChoice(decision, phase == 'done', view.target, far_m)
