# SPDX-License-Identifier: Apache-2.0
"""How a task can end, and which error of the core is which end."""

from __future__ import annotations

from enum import IntEnum

from vidplan_core.errors import (
    InstructionError,
    ModelError,
    NoProgressError,
    ObservationError,
    TargetNotFoundError,
    UnexpectedOutcomeError,
    VidPlanError,
)
from vidplan_msgs.action import PlanTask


class Ending(IntEnum):
    """The error codes of PlanTask's result; the action file says what each means."""

    NONE = PlanTask.Result.NONE
    INVALID_INSTRUCTION = PlanTask.Result.INVALID_INSTRUCTION
    INVALID_TIME_LIMIT = PlanTask.Result.INVALID_TIME_LIMIT
    TARGET_NOT_FOUND = PlanTask.Result.TARGET_NOT_FOUND
    TIME_LIMIT = PlanTask.Result.TIME_LIMIT
    CANCELED = PlanTask.Result.CANCELED
    PREEMPTED = PlanTask.Result.PREEMPTED
    TASK_INCOMPLETE = PlanTask.Result.TASK_INCOMPLETE
    SHUTDOWN = PlanTask.Result.SHUTDOWN
    NO_OBSERVATION = PlanTask.Result.NO_OBSERVATION
    STALE_OBSERVATION = PlanTask.Result.STALE_OBSERVATION
    INVALID_OBSERVATION = PlanTask.Result.INVALID_OBSERVATION
    UNEXPECTED_OUTCOME = PlanTask.Result.UNEXPECTED_OUTCOME
    MODEL_ERROR = PlanTask.Result.MODEL_ERROR
    PLAN_TOO_LATE = PlanTask.Result.PLAN_TOO_LATE
    NO_ADAPTER = PlanTask.Result.NO_ADAPTER
    ADAPTER_FAULT = PlanTask.Result.ADAPTER_FAULT
    PLAN_REJECTED = PlanTask.Result.PLAN_REJECTED
    INTERNAL = PlanTask.Result.INTERNAL


class TaskEnd(Exception):
    """Ends the running task; carries the code and the message."""

    def __init__(self, ending: Ending, message: str) -> None:
        super().__init__(f'{ending.name}: {message}')
        self.ending = ending
        self.message = message


_ENDINGS: tuple[tuple[type[VidPlanError], Ending], ...] = (
    (InstructionError, Ending.INVALID_INSTRUCTION),
    (TargetNotFoundError, Ending.TARGET_NOT_FOUND),
    (NoProgressError, Ending.TASK_INCOMPLETE),
    (ObservationError, Ending.INVALID_OBSERVATION),
    (UnexpectedOutcomeError, Ending.UNEXPECTED_OUTCOME),
    (ModelError, Ending.MODEL_ERROR),
)


def task_end(error: Exception) -> TaskEnd:
    """Return the end that an exception means; INTERNAL for one that nobody expected."""
    if isinstance(error, TaskEnd):
        return error
    for kind, ending in _ENDINGS:
        if isinstance(error, kind):
            return TaskEnd(ending, str(error))
    return TaskEnd(Ending.INTERNAL, f'{type(error).__name__}: {error}')
