# SPDX-License-Identifier: Apache-2.0
"""The planner's loop in simulated time: it follows one instruction, exactly repeatably.

The timing is that of the nodes. A plan made from the observation at t takes over at
t + committed frames; until then the arm executes the plan before, while the planner, on a
robot, would be computing. How long the planner really took is measured beside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import chain
from time import perf_counter
from typing import Any, Protocol

from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.action import PoseChunk
from vidplan_core.data.history import History
from vidplan_core.data.observation import Observation
from vidplan_core.errors import VidPlanError
from vidplan_core.geometry.camera_layout import CameraLayout
from vidplan_core.planner.plans.result import PlanResult
from vidplan_eval.viz.logbook import plan_record, seen_frame
from vidplan_eval.viz.runlog import RunLog

# A plan is handed over this much before it takes over, like a node's shortest lead.
LEAD_S = 0.02
# Every motion of the adapter rests within this time.
REST_S = 1.0

DONE = 'DONE'
TIME_LIMIT = 'TIME_LIMIT'
WATCHED_ENOUGH = 'WATCHED_ENOUGH'


def never() -> bool:
    """Nobody ends a run from outside."""
    return False


class LockstepWorld(Protocol):
    """What the loop needs of `evaluation.world.World`."""

    layout: CameraLayout
    period_s: float

    @property
    def now_s(self) -> float:
        """Simulated time [s]."""

    @property
    def at_rest(self) -> bool:
        """Whether the arm stands."""

    def observe(self) -> Observation:
        """Look."""

    def advance_to(self, time_s: float) -> None:
        """Let time pass."""

    def committed(self) -> CommittedMotion:
        """What the arm will do anyway."""

    def execute(self, chunk: PoseChunk, observed_s: float, start_s: float) -> bool:
        """Hand over a chunk."""

    def stop(self) -> None:
        """Brake."""


class LockstepPlanner(Protocol):
    """What the loop needs of the core's PlanningSystem."""

    def new_task(self, instruction: str, target: str = '') -> Any:
        """Read the instruction."""

    def plan(
        self,
        task: Any,
        history: list[Observation],
        committed: CommittedMotion | None,
        should_stop: Callable[[], bool],
    ) -> PlanResult:
        """Plan one cycle."""


@dataclass(frozen=True)
class Pace:
    """How the loop is timed.

    Attributes:
        history_frames: observations that the world model needs.
        execute_frames: frames of a chunk after which the next plan is made.
        limit_s: simulated time from the first plan to the judgement [s].
        pictures: whether imagined frames are decoded for the log.
        history_ages: how far back each of them lies, in frames; empty for consecutive ones.
    """

    history_frames: int
    execute_frames: int = 2
    limit_s: float = 20.0
    pictures: bool = False
    history_ages: tuple[int, ...] = ()


@dataclass
class Run:
    """How following one instruction went.

    Attributes:
        log: what was seen and planned.
        reason: DONE, TIME_LIMIT, WATCHED_ENOUGH, or the code of the error that ended it.
        error: the error's words, '' without one.
        latencies_s: wall-clock duration of every plan that chose among candidates [s].
        duration_s: simulated time from the first plan to the end [s].
    """

    log: RunLog
    reason: str = TIME_LIMIT
    error: str = ''
    latencies_s: list[float] = field(default_factory=list)
    duration_s: float = 0.0


class LockStep:
    """Runs instructions one after the other in a world that is reset in between."""

    def __init__(self, system: LockstepPlanner, world: LockstepWorld, pace: Pace) -> None:
        self._system, self._world, self._pace = system, world, pace
        self._history = History(pace.history_frames, world.period_s, pace.history_ages)

    def follow(
        self, instruction: str, target: str = '', enough: Callable[[], bool] = never
    ) -> Run:
        """Follow an instruction to its end; the arm is at rest when this returns.

        Before every plan `enough` says whether whoever watches needs to see no more.

        Errors of the planner (named ones) end the run and are recorded in it; any other exception
        is a defect and passes through.
        """
        world = self._world
        run = Run(
            RunLog(
                instruction,
                target,
                frame_period_s=world.period_s,
                views=world.layout.views,
            )
        )
        self._history.clear()
        for _ in range(self._pace.history_frames - 1):
            self._look(None)
            self._world.advance_to(self._world.now_s + self._world.period_s)
        began_s = self._world.now_s
        try:
            run.reason = self._cycles(run, began_s + self._pace.limit_s, enough)
        except VidPlanError as error:
            run.reason, run.error = error.code, str(error)
        self._come_to_rest(run)
        run.duration_s = self._world.now_s - began_s
        return run

    def _cycles(self, run: Run, limit_s: float, enough: Callable[[], bool]) -> str:
        task = self._system.new_task(run.log.instruction, run.log.target)
        run.log.target = task.instruction.target
        while not enough():
            observed = self._look(run.log)
            result = self._plan(run, task, observed)
            if result.done:
                return DONE
            due_s = observed.stamp_s + self._pace.execute_frames * self._world.period_s
            # A motion that starts now must still come to rest before the judgement.
            if max(due_s, result.start_s) + REST_S > limit_s:
                return TIME_LIMIT
            self._watch_until(result.start_s - LEAD_S, run.log)
            self._execute(run.log, result, observed.stamp_s)
            self._watch_until(due_s, run.log)
        return WATCHED_ENOUGH

    def _execute(self, log: RunLog, result: PlanResult, observed_s: float) -> None:
        """Hand the plan over; where the arm refuses it, the next best candidate at once."""
        for plan in chain([result], result.alternatives()):
            if self._world.execute(plan.chunk, observed_s, result.start_s):
                made = log.plans[-1] if plan is result else plan_record(plan, observed_s)
                ratio = self._world.committed().time_ratio
                log.plans[-1] = replace(made, time_ratio=ratio)
                return

    def _plan(self, run: Run, task: Any, observed: Observation) -> PlanResult:
        committed = self._world.committed()
        began_s = perf_counter()
        result = self._system.plan(task, self._history.sample(), committed, lambda: False)
        # At its goal the planner only brakes: that says nothing of how long a choice takes.
        if len(result.scores) > 1:
            run.latencies_s.append(perf_counter() - began_s)
        run.log.plans.append(plan_record(result, observed.stamp_s, pictures=self._pace.pictures))
        return result

    def _look(self, log: RunLog | None) -> Observation:
        newest = self._history.newest
        now_s = self._world.now_s
        if newest is None or now_s - newest.stamp_s > 1e-6:
            newest = self._world.observe()
            self._history.push(newest)
            if log is not None:
                log.seen.append(seen_frame(newest))
        return newest

    def _watch_until(self, time_s: float, log: RunLog) -> None:
        """Let time pass and look at every model frame within it, its end included."""
        newest = self._history.newest
        assert newest is not None
        frame_s = newest.stamp_s + self._world.period_s
        while frame_s <= time_s + 1e-6:
            self._world.advance_to(frame_s)
            frame_s = self._look(log).stamp_s + self._world.period_s
        self._world.advance_to(time_s)

    def _come_to_rest(self, run: Run) -> None:
        if not run.log.plans:
            return
        self._world.stop()
        deadline_s = self._world.now_s + REST_S
        self._watch_until(self._world.now_s + self._world.period_s, run.log)
        while not self._world.at_rest and self._world.now_s < deadline_s:
            self._watch_until(self._world.now_s + self._world.period_s, run.log)
