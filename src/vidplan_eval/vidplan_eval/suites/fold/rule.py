# SPDX-License-Identifier: Apache-2.0
"""The folding rule in the place of a planner: what it knows is a matter of who looks for it."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from vidplan_core.data.observation import Observation
from vidplan_eval.suites.judging.rule import DecidingPlanner, RuleChoice
from vidplan_sim.expert.decision import Decision
from vidplan_sim.expert.folding import FoldView, decide_fold


class FoldSight(Protocol):
    """Whoever tells the rule where the towel's corners are."""

    def view(self, present: Observation) -> FoldView:
        """The present moment; raises a VidPlanError where it sees no towel to fold."""
        ...

    def decided(self, decision: Decision, time_s: float) -> None:
        """Hear what was decided at a time."""
        ...


class FoldPlanner(DecidingPlanner):
    """Folds by the rule what a sight sees."""

    def __init__(self, sight: FoldSight, period_s: float) -> None:
        super().__init__(period_s)
        self._sight = sight

    def decide(self, present: Observation) -> RuleChoice:
        """The rule's decision for what is seen."""
        view = self._sight.view(present)
        decision, phase = decide_fold(view)
        self._sight.decided(decision, present.stamp_s)
        far_m = float(np.linalg.norm(view.tip - view.far))
        return RuleChoice(decision, phase == 'done', view.tip, far_m)
