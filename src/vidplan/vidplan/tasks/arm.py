# SPDX-License-Identifier: Apache-2.0
"""What the planner knows of the action adapter and asks of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from vidplan.tasks.endings import Ending, TaskEnd
from vidplan_core.control.rejection import OF_THE_MOTION

if TYPE_CHECKING:
    from vidplan_core.control.commands import CommittedMotion
    from vidplan_core.planner.plans.result import PlanResult


@dataclass(frozen=True)
class ArmReport:
    """One status of the adapter, as far as a task needs it.

    Attributes:
        at_rest: The arm stands and no trajectory is left.
        fault: Why no plan would be executed; '' if it would.
        refusal: Why the plan `rejected_plan_id` was refused; '' if none was.
        active_plan_id: The plan that is executed, or was last; 0 for none.
        rejected_plan_id: The plan that was refused last, 0 for none.
        committed: What the arm will do if nothing else is sent.
        rests_at_s: When that motion ends, on the node's clock [s].
        heard_s: When the status arrived, on the steady clock [s].
        time_ratio: Time that `active_plan_id` takes over the time that it was given.
    """

    at_rest: bool
    fault: str
    refusal: str
    active_plan_id: int
    rejected_plan_id: int
    committed: CommittedMotion | None
    rests_at_s: float
    heard_s: float
    time_ratio: float = 1.0

    def answers(self, plan_id: int) -> bool:
        """Return whether the adapter has taken or refused this plan, or had none to judge."""
        return plan_id in (0, self.active_plan_id, self.rejected_plan_id)

    def refuses_motion(self, plan_id: int) -> bool:
        """Return whether this plan was refused for a motion that another may do better."""
        reason = self.refusal.split(':')[0]
        return plan_id == self.rejected_plan_id and reason in OF_THE_MOTION


class Arm(Protocol):
    """What a task does with the arm."""

    def report(self) -> ArmReport | None:
        """Return the newest report, None before the first."""

    def problem(self) -> TaskEnd | None:
        """Return why no plan can be executed now, None if one can."""

    def send(self, plan: PlanResult, observation_s: float, start_s: float) -> int:
        """Send the chunk of a plan, made from the observation of that time; return its id."""

    def stop(self) -> None:
        """Ask the adapter to brake; returns at once."""


class ArmStatus:
    """Keeps the newest report and judges whether the adapter is alive; thread-safe."""

    def __init__(
        self, max_silence_s: float, steady_s: Callable[[], float] = time.monotonic
    ) -> None:
        # Steady: the adapter's life does not depend on a simulation's clock.
        self._max_silence_s = max_silence_s
        self._steady_s = steady_s
        self._lock = threading.Lock()
        self._report: ArmReport | None = None

    def update(self, report: ArmReport) -> None:
        """Take in a status."""
        with self._lock:
            self._report = report

    def report(self) -> ArmReport | None:
        """Return the newest report, None before the first."""
        with self._lock:
            return self._report

    @property
    def silence_s(self) -> float:
        """Time since the newest status [s]; infinite before the first."""
        report = self.report()
        return float('inf') if report is None else self._steady_s() - report.heard_s

    def problem(self) -> TaskEnd | None:
        """Return why no plan can be executed now, None if one can."""
        report, silence_s = self.report(), self.silence_s
        if report is None:
            return TaskEnd(
                Ending.NO_ADAPTER, 'no status from the action adapter; is its process running?'
            )
        if silence_s > self._max_silence_s:
            return TaskEnd(
                Ending.NO_ADAPTER,
                f'the action adapter has been silent for {silence_s:.1f} s, at most '
                f'{self._max_silence_s:.1f} s is allowed; its last trajectory ends at rest',
            )
        if report.fault:
            return TaskEnd(Ending.ADAPTER_FAULT, report.fault)
        return None
