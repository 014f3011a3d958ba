# SPDX-License-Identifier: Apache-2.0
"""The best of the planner's candidates, as the simulator finds it: the headroom of choosing.

Every candidate is carried out in a branch of the simulator, the motion under way first; the best
is the one after which the expert needs the fewest frames to have the target in the bowl.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.action import PoseChunk
from vidplan_core.data.observation import Observation
from vidplan_core.planner.plans.result import NO_PICTURES, PlanResult
from vidplan_eval.lockstep import LockstepPlanner
from vidplan_eval.suites.judging.rule import rule_chunk
from vidplan_eval.world import World
from vidplan_sim.cell import Cell
from vidplan_sim.expert.decision import PLACE, VERBS, Decision
from vidplan_sim.expert.looking import lying_heights, touch, view_of
from vidplan_sim.expert.remaining import MOST_FRAMES, frames_to_go

# What the adapter refuses is worse than what never ends.
REFUSED_FRAMES = MOST_FRAMES + 1.0
# A grasp holds if the target is still held after this lift.
LIFT = Decision(np.array([0.0, 0.0, 0.08]), 0.0, 1.0)


class Worth(Protocol):
    """Says how good candidates turn out to be."""

    def frames(self, chunk: PoseChunk, observed_s: float, start_s: float) -> float:
        """Frames that are still needed after a chunk (1, frames); fewer is better."""
        ...


class BranchWorth:
    """Carries a candidate out in a branch, and asks the expert how long it would still need."""

    def __init__(self, world: World, branches: Cell, kind: str) -> None:
        """Branch from a world, at the start of an episode, into another cell."""
        self._world, self._branches, self._kind = world, branches, kind
        self._lying = lying_heights(world.cell)

    def frames(self, chunk: PoseChunk, observed_s: float, start_s: float) -> float:
        """See `Worth`."""
        branch = self._world.branch(self._branches)
        if not branch.execute(chunk, observed_s, start_s):
            return REFUSED_FRAMES
        branch.advance_to(start_s + (chunk.position.shape[1] - 1) * branch.period_s)
        view = view_of(branch.cell, self._kind, self._lying)
        if view.held and not self._holds(branch):
            view = replace(view, held=False)
        return float(frames_to_go(view, self._kind)[VERBS.index(PLACE)])

    def _holds(self, branch: World) -> bool:
        """Whether what is held is still held after a lift; the branch is spent."""
        chunk = rule_chunk(branch.committed(), LIFT, branch.period_s)
        branch.execute(chunk, branch.now_s, branch.now_s)
        branch.advance_to(branch.now_s + (chunk.position.shape[1] - 1) * branch.period_s)
        return touch(branch.cell).held == self._kind


class BranchingPlanner(ABC):
    """A planner whose candidates are carried out in branches before one of them is taken.

    Subclasses say which candidates are worth a branch, and which one is taken then.
    """

    def __init__(self, planner: LockstepPlanner, worth: Worth) -> None:
        self._planner, self._worth = planner, worth

    def new_task(self, instruction: str, target: str = '') -> Any:
        """Read the instruction, as the planner does."""
        return self._planner.new_task(instruction, target)

    def plan(
        self,
        task: Any,
        history: list[Observation],
        committed: CommittedMotion | None,
        should_stop: Callable[[], bool],
    ) -> PlanResult:
        """The planner's plan with the candidate that is taken; its own where none is branched."""
        plan = self._planner.plan(task, history, committed, should_stop)
        stamp_s = history[-1].stamp_s
        frames = {
            index: self._worth.frames(plan.candidates.select(index), stamp_s, plan.start_s)
            for index in ([] if plan.done else self.branched(plan))
        }
        if not frames:
            return plan
        taken = self.taken(plan, frames)
        return replace(
            plan,
            best=taken,
            chunk=plan.candidates.select(taken),
            score=plan.scores[taken],
            terms={'frames_to_go': frames[taken]},
            refinement=(),
            _imagined=lambda: NO_PICTURES,
            _heat=lambda: NO_PICTURES,
        )

    @abstractmethod
    def branched(self, plan: PlanResult) -> Sequence[int]:
        """Indices of the candidates to carry out in branches."""

    @abstractmethod
    def taken(self, plan: PlanResult, frames: dict[int, float]) -> int:
        """Index of the candidate to take, one of those whose frames to go are known."""


class OraclePlanner(BranchingPlanner):
    """A planner's candidates, chosen by what becomes of them."""

    def branched(self, plan: PlanResult) -> Sequence[int]:
        """All, where there is a choice."""
        return range(len(plan.scores)) if len(plan.scores) > 1 else ()

    def taken(self, plan: PlanResult, frames: dict[int, float]) -> int:
        """The one with the fewest frames to go; among equals the planner's score decides."""
        return min(frames, key=lambda index: (frames[index], -plan.scores[index]))
