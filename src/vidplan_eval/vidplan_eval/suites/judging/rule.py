# SPDX-License-Identifier: Apache-2.0
"""A rule in the place of a planner: it decides at once, without imagining."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch

from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.action import PoseChunk
from vidplan_core.data.observation import Observation
from vidplan_core.errors import InstructionError
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.language.instruction import parse_instruction
from vidplan_core.planner.motion.hermite import hermite_chunk
from vidplan_core.planner.plans.result import PlanResult
from vidplan_sim.expert.decision import Decision

# As the chunks of the planner: the present and four new frames.
FRAMES = 5


@dataclass(frozen=True, eq=False)
class RuleChoice:
    """What a rule decided, and why.

    Attributes:
        decision: what to do.
        done: whether there is nothing left to do.
        target: what it goes for, (3,), base frame, m.
        far_m: how far that is.
    """

    decision: Decision
    done: bool
    target: np.ndarray
    far_m: float


class DecidingPlanner(ABC):
    """Decides by a rule, at once: it plans for the present where a planner plans ahead."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s

    @abstractmethod
    def decide(self, present: Observation) -> RuleChoice:
        """What to do now; raises a VidPlanError where the rule does not see what it needs."""

    def new_task(self, instruction: str, target: str = '') -> SimpleNamespace:
        """Read the instruction; one that chooses by place is refused: a rule knows names only."""
        read = parse_instruction(instruction)
        if read.by_place:
            raise InstructionError(f"'{instruction}' chooses by place, which a rule does not see")
        return SimpleNamespace(instruction=read, cycle=0)

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
        choice = self.decide(present)
        chunk = rule_chunk(committed, choice.decision, self._period_s)
        task.cycle += 1
        return _only_plan(
            chunk, present, choice.done, choice.target, choice.far_m, task.cycle - 1
        )


class IdlePlanner(DecidingPlanner):
    """Stays where it is: the control."""

    def decide(self, present: Observation) -> RuleChoice:
        """Nothing, for ever."""
        return RuleChoice(Decision(np.zeros(3), 0.0, 0.0), False, np.zeros(3), 0.0)


def rule_chunk(committed: CommittedMotion, decision: Decision, period_s: float) -> PoseChunk:
    """The chunk (1, frames) of a decision that takes over now from the motion under way."""
    position, turned, velocity = (
        torch.as_tensor(values[0], dtype=torch.float64)
        for values in (committed.position, committed.quaternion, committed.velocity)
    )
    move = torch.as_tensor(decision.displacement, dtype=torch.float64)[None]
    turn = torch.tensor([[0.0, 0.0, decision.turn_rad]], dtype=torch.float64)
    rotation = quaternion_to_matrix(turned)
    return hermite_chunk(
        position, rotation, velocity, move, turn, decision.closedness, FRAMES, period_s
    )


def _only_plan(
    chunk: PoseChunk,
    present: Observation,
    done: bool,
    target: np.ndarray,
    far_m: float,
    cycle: int,
) -> PlanResult:
    """A chunk (1, frames) that takes over now, as a plan without alternatives."""
    return PlanResult(
        done=done,
        chunk=chunk,
        start_s=present.stamp_s,
        candidates=chunk,
        scores=[0.0],
        best=0,
        score=0.0,
        terms={},
        relevancy=np.zeros((0, 0, 0), np.float32),
        target=target,
        distance_m=far_m,
        latency_s=0.0,
        cycle=cycle,
    )
