# SPDX-License-Identifier: Apache-2.0
"""The words of a task: what is asked, how it goes, how it ended."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from vidplan.tasks.endings import Ending
from vidplan_core.data.observation import Observation
from vidplan_msgs.action import PlanTask

if TYPE_CHECKING:
    from vidplan_core.control.commands import CommittedMotion
    from vidplan_core.planner.plans.result import PlanResult


class TaskPlanner(Protocol):
    """The planner that a task uses (the core's PlanningSystem, or a fake)."""

    def new_task(self, instruction: str, target: str = '') -> Any:
        """Read the instruction; raises InstructionError for what cannot be done, too."""

    def plan(
        self,
        task: Any,
        history: Sequence[Observation],
        committed: CommittedMotion | None,
        should_stop: Callable[[], bool],
    ) -> PlanResult:
        """Plan one chunk; raises TargetNotFoundError, ObservationError, ModelError."""


class Phase(IntEnum):
    """What a task is doing, as in its feedback."""

    OBSERVING = PlanTask.Feedback.OBSERVING
    PLANNING = PlanTask.Feedback.PLANNING
    EXECUTING = PlanTask.Feedback.EXECUTING
    STOPPING = PlanTask.Feedback.STOPPING


@dataclass(frozen=True)
class Timing:
    """How tasks are paced.

    Attributes:
        execute_s: Part of a chunk that is executed before the next takes over [s].
        start_lead_s: Shortest time between sending a plan and its start [s].
        settle_s: Wait for missing observations and adapter before the first plan, wall clock [s].
        cause_s: Wait for the stitcher to say which input is missing, wall clock [s].
        max_late_plans: Plans in a row that may come too late to be executed.
        max_rejected_plans: Plans in a row that the adapter may refuse.
        rest_hold_s: How long the arm must be seen at rest at an end, wall clock [s].
        max_rest_s: Longest wait for that, wall clock [s].
    """

    execute_s: float
    start_lead_s: float = 0.02
    settle_s: float = 2.0
    cause_s: float = 1.5
    max_late_plans: int = 5
    max_rejected_plans: int = 3
    rest_hold_s: float = 0.15
    max_rest_s: float = 3.0


@dataclass(frozen=True)
class Request:
    """A goal: the words, an explicit target or '', and how long it may take [s]."""

    instruction: str
    target: str
    time_limit_s: float


@dataclass
class Progress:
    """Where a task is; the fields of the action's feedback.

    Attributes:
        past_s: Stamps of the observations that the last plan was made from, oldest first [s].
        committed_s: Stamp of the status whose committed motion it continues [s]; 0 without one.
    """

    phase: Phase = Phase.OBSERVING
    cycle: int = 0
    score: float = math.nan
    best: int = -1
    latency_s: float = 0.0
    time_ratio: float = math.nan
    elapsed_s: float = 0.0
    target: str = ''
    terms: dict[str, float] = field(default_factory=dict)
    past_s: tuple[float, ...] = ()
    committed_s: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """How a task ended; `late` of its `cycles` gave a plan too late to be executed."""

    ending: Ending
    message: str
    cycles: int
    late: int
    duration_s: float
    score: float
    target: str
