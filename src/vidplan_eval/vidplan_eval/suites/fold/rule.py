# SPDX-License-Identifier: Apache-2.0
"""The folding rule in the place of a planner: what it knows is a matter of who looks for it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Protocol

import numpy as np

from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.observation import Observation
from vidplan_core.language.instruction import parse_instruction
from vidplan_core.planner.plans.result import PlanResult
from vidplan_eval.suites.pick_place.rule import only_plan, rule_chunk
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


class FoldPlanner:
    """Decides by the rule, at once: it plans for the present where a planner plans ahead."""

    def __init__(self, sight: FoldSight, period_s: float) -> None:
        self._sight, self._period_s = sight, period_s

    def new_task(self, instruction: str, target: str = '') -> SimpleNamespace:
        """Read the instruction."""
        return SimpleNamespace(instruction=parse_instruction(instruction), cycle=0)

    def plan(
        self,
        task: SimpleNamespace,
        history: list[Observation],
        committed: CommittedMotion | None,
        should_stop: Callable[[], bool],
    ) -> PlanResult:
        """One decision as a plan without alternatives."""
        assert committed is not None
        present = history[-1]
        view = self._sight.view(present)
        decision, phase = decide_fold(view)
        self._sight.decided(decision, present.stamp_s)
        chunk = rule_chunk(committed, decision, self._period_s)
        task.cycle += 1
        far_m = float(np.linalg.norm(view.tip - view.far))
        return only_plan(chunk, present, phase == 'done', view.tip, far_m, task.cycle - 1)


class IdlePlanner(FoldPlanner):
    """Stays where it is: the control."""

    def plan(
        self,
        task: SimpleNamespace,
        history: list[Observation],
        committed: CommittedMotion | None,
        should_stop: Callable[[], bool],
    ) -> PlanResult:
        """A chunk at rest."""
        assert committed is not None
        chunk = rule_chunk(committed, Decision(np.zeros(3), 0.0, 0.0), self._period_s)
        task.cycle += 1
        return only_plan(chunk, history[-1], False, np.zeros(3), 0.0, task.cycle - 1)
