# SPDX-License-Identifier: Apache-2.0
"""One task from its words to its end: observe, plan, send, look again; always ends at rest."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

from vidplan.tasks.arm import Arm
from vidplan.tasks.endings import Ending, TaskEnd, task_end
from vidplan.tasks.observation_feed import ObservationFeed, WakeEvent
from vidplan.tasks.resting import come_to_rest
from vidplan.tasks.task import Outcome, Phase, Progress, Request, TaskPlanner, Timing
from vidplan_core.data.observation import Observation

if TYPE_CHECKING:
    from vidplan_core.planner.plans.result import PlanResult

# Longest wait before everything that could end a task is looked at again, wall clock.
_TICK_S = 0.05
# Cameras are not exact: an observation this much early still counts as due.
_EARLY_S = 0.02
# What may be missing for a moment when a goal comes while the graph still starts.
_UNSEEN = (Ending.NO_OBSERVATION, Ending.STALE_OBSERVATION)
_MAY_COME = (*_UNSEEN, Ending.NO_ADAPTER)


@dataclass(frozen=True)
class TaskContext:
    """What a task works with; shared by all tasks.

    Attributes:
        system: The planner.
        feed: Observations.
        arm: The action adapter.
        worker: Where the planner computes, one plan at a time.
        now_s: The node's clock [s].
        wake: Set at every observation, status and interruption.
        timing: The pace.
        on_plan: Told about every plan after it was sent, with the observation it was made from.
        on_internal_error: Told about exceptions that nobody expected.
    """

    system: TaskPlanner
    feed: ObservationFeed
    arm: Arm
    worker: Executor
    now_s: Callable[[], float]
    wake: WakeEvent
    timing: Timing
    on_plan: Callable[[PlanResult, Observation], None] = lambda plan, observation: None
    on_internal_error: Callable[[Exception], None] = lambda error: None


class TaskRunner:
    """Runs one task; make a new one for the next."""

    def __init__(
        self,
        context: TaskContext,
        request: Request,
        interrupted: Callable[[], TaskEnd | None],
        on_progress: Callable[[Progress], None],
    ) -> None:
        """Prepare a task.

        Args:
            context: What it works with.
            request: The goal.
            interrupted: Returns the end that somebody asked for (cancel, preemption, shutdown).
            on_progress: Called at every change of phase and in every cycle.
        """
        self._context = context
        self._request = request
        self._interrupted = interrupted
        self._on_progress = on_progress
        self._progress = Progress(target=request.target)
        self._started_s = context.now_s()
        self._began_s = time.monotonic()
        self._sent_id = 0
        self._judged_id = 0
        self._refused = 0
        self._late = self._all_late = 0
        self._due_s = -math.inf
        # What else the last plan could have been, with the observation that it was made from.
        self._others: Iterator[tuple[PlanResult, float]] = iter(())

    def run(self) -> Outcome:
        """Follow the instruction until an end; the arm is at rest when this returns."""
        end = self._follow_to_end()
        rest_problem = self._come_to_rest()
        if end.ending in _UNSEEN:
            end = self._with_cause(end)
        ending = end.ending
        if rest_problem and ending is Ending.NONE:
            ending = Ending.ADAPTER_FAULT
        return Outcome(
            ending=ending,
            message='; '.join(part for part in (end.message, rest_problem) if part),
            cycles=self._progress.cycle,
            late=self._all_late,
            duration_s=self._context.now_s() - self._started_s,
            score=self._progress.score,
            target=self._progress.target,
        )

    def _follow_to_end(self) -> TaskEnd:
        try:
            return self._follow()
        except Exception as error:  # the arm must rest whatever happened, with the cause
            end = task_end(error)
            if end.ending is Ending.INTERNAL:
                self._context.on_internal_error(error)
            return end

    def _follow(self) -> TaskEnd:
        self._check_time_limit()
        task = self._context.system.new_task(self._request.instruction, self._request.target)
        self._progress.target = task.instruction.target
        self._context.feed.begin_episode()
        self._check()
        while True:
            history = self._next_history()
            observed_s = history[-1].stamp_s
            plan, rests_at_s = self._plan(task, history)
            self._check_refusal()
            if not plan.done:
                self._others = zip(plan.alternatives(), repeat(observed_s), strict=False)
                self._send(plan, observed_s, rests_at_s)
            self._context.on_plan(plan, history[-1])
            if plan.done:
                return TaskEnd(Ending.NONE, '')

    def _check_time_limit(self) -> None:
        limit_s = self._request.time_limit_s
        if not math.isfinite(limit_s) or limit_s <= 0:
            raise TaskEnd(
                Ending.INVALID_TIME_LIMIT, f'time_limit_s is {limit_s}; it must be above 0 s'
            )

    def _check(self) -> None:
        """Raise the end that is due, if any."""
        end = self._interrupted() or self._problem()
        if end is not None:
            raise end
        limit_s = self._request.time_limit_s
        if self._context.now_s() - self._started_s > limit_s:
            raise TaskEnd(Ending.TIME_LIMIT, f'not done within {limit_s:.1f} s')

    def _problem(self) -> TaskEnd | None:
        """Return what is wrong with observations or adapter; at the start they may still come."""
        end = self._context.feed.problem() or self._context.arm.problem()
        waited_s = time.monotonic() - self._began_s
        may_come = not self._sent_id and waited_s < self._context.timing.settle_s
        if end is not None and end.ending in _MAY_COME and may_come:
            return None
        return end

    def _with_cause(self, end: TaskEnd) -> TaskEnd:
        """Wait, at rest, for the stitcher's next word on which camera is missing."""
        feed = self._context.feed
        deadline_s = time.monotonic() + self._context.timing.cause_s
        while not feed.source_problem and time.monotonic() < deadline_s:
            self._context.wake.wait(_TICK_S)
        return (feed.source_problem and feed.problem()) or end

    def _next_history(self) -> list[Observation]:
        """Wait for an observation that is due, and for the answer to the last plan."""
        if not self._sent_id:
            self._tell(Phase.OBSERVING)
        while True:
            self._try_next_best()
            if self._is_due() and (history := self._context.feed.sample()) is not None:
                return history
            self._context.wake.wait(_TICK_S)
            self._check()

    def _try_next_best(self) -> None:
        """Send the next best candidate at once where the arm refused the last one's motion."""
        report = self._context.arm.report()
        if report is None or not self._sent_id or not report.refuses_motion(self._sent_id):
            return
        for plan, observed_s in self._others:
            self._progress.best, self._progress.score = plan.best, plan.score
            self._send(plan, observed_s, report.rests_at_s)
            return

    def _is_due(self) -> bool:
        if self._context.feed.problem() or self._context.arm.problem():
            return False
        newest, report = self._context.feed.newest, self._context.arm.report()
        # Before the answer to the last plan, the committed motion would be that of the one before.
        answered = report is not None and report.answers(self._sent_id)
        return answered and newest is not None and newest.stamp_s >= self._due_s - _EARLY_S

    def _plan(self, task: Any, history: list[Observation]) -> tuple[PlanResult, float]:
        """Return a plan, and when the motion that it continues comes to rest."""
        self._tell(Phase.EXECUTING if self._sent_id else Phase.PLANNING)
        report = self._context.arm.report()
        committed = report.committed if report else None
        abandoned = threading.Event()
        future = self._context.worker.submit(
            self._context.system.plan, task, history, committed, abandoned.is_set
        )
        future.add_done_callback(lambda _: self._context.wake.set())
        try:
            plan = self._result(future)
        except BaseException:
            abandoned.set()
            raise
        self._note(plan)
        self._progress.past_s = tuple(seen.stamp_s for seen in history)
        self._progress.committed_s = 0.0 if committed is None else float(committed.times_s[0])
        return plan, report.rests_at_s if report else -math.inf

    def _result(self, future: Future[PlanResult]) -> PlanResult:
        while not future.done():
            self._context.wake.wait(_TICK_S)
            self._check()
        self._check()  # what ended the task meanwhile must not let one more plan out
        return future.result()

    def _note(self, plan: PlanResult) -> None:
        if not math.isfinite(plan.score):
            raise TaskEnd(Ending.MODEL_ERROR, f'the score of the plan is {plan.score}')
        self._progress.cycle += 1
        self._progress.score = float(plan.score)
        self._progress.best = int(plan.best)
        self._progress.latency_s = float(plan.latency_s)
        self._progress.terms = dict(plan.terms)

    def _check_refusal(self) -> None:
        """Count the plans that the adapter refused one after the other."""
        report = self._context.arm.report()
        if report is None or self._sent_id == self._judged_id:
            return
        self._judged_id = self._sent_id
        self._refused = self._refused + 1 if report.rejected_plan_id == self._sent_id else 0
        if self._refused >= self._context.timing.max_rejected_plans:
            raise TaskEnd(
                Ending.PLAN_REJECTED, f'{self._refused} plans in a row, the last: {report.refusal}'
            )

    def _send(self, plan: PlanResult, observed_s: float, rests_at_s: float) -> None:
        earliest_s = self._context.now_s() + self._context.timing.start_lead_s
        late_s = earliest_s - plan.start_s
        if late_s > 0 and rests_at_s > plan.start_s:
            # The arm has moved on from where this chunk starts. It brakes along its last chunk;
            # a plan that starts from rest may start at any time.
            self._count_late(late_s)
            self._others = iter(())
            self._due_s = observed_s + 2 * _EARLY_S  # any newer observation
            return
        self._late = 0
        start_s = max(plan.start_s, earliest_s)
        self._sent_id = self._context.arm.send(plan, observed_s, start_s)
        # Seen from here, the next plan begins when this one has been executed for `execute_s`.
        ahead_s = plan.start_s - observed_s
        self._due_s = start_s + self._context.timing.execute_s - ahead_s
        self._tell(Phase.EXECUTING)

    def _count_late(self, late_s: float) -> None:
        self._late += 1
        self._all_late += 1
        if self._late >= self._context.timing.max_late_plans:
            raise TaskEnd(
                Ending.PLAN_TOO_LATE,
                f'{self._late} plans in a row came too late, the last by {late_s:.2f} s; fewer '
                'candidates, sampling steps or refinement steps make planning faster',
            )

    def _come_to_rest(self) -> str:
        """Stop what this task has set in motion; return what went wrong, if anything."""
        if not self._sent_id:
            return ''
        self._tell(Phase.STOPPING)
        return come_to_rest(self._context.arm, self._context.wake, self._context.timing)

    def _tell(self, phase: Phase) -> None:
        self._progress.phase = phase
        self._progress.elapsed_s = self._context.now_s() - self._started_s
        report = self._context.arm.report()
        taken = report is not None and 0 < self._sent_id == report.active_plan_id
        self._progress.time_ratio = report.time_ratio if report and taken else math.nan
        self._on_progress(self._progress)
