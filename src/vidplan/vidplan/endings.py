# SPDX-License-Identifier: Apache-2.0
"""How a task can end, and which error of the core is which end."""

from __future__ import annotations

from enum import IntEnum

from vidplan_core.errors import (
    InstructionError,
    ModelError,
    ObservationError,
    TargetNotFoundError,
    VidPlanError,
)
from vidplan_msgs.action import PlanTask

Ending = IntEnum(  # type: ignore[misc]
    'Ending',
    {
        name: getattr(PlanTask.Result, name)
        for name in (
            'NONE', 'INVALID_INSTRUCTION', 'INVALID_TIME_LIMIT', 'TARGET_NOT_FOUND',
            'TIME_LIMIT', 'CANCELED', 'PREEMPTED', 'TASK_INCOMPLETE', 'SHUTDOWN',
            'NO_OBSERVATION', 'STALE_OBSERVATION', 'INVALID_OBSERVATION', 'MODEL_ERROR',
            'PLAN_TOO_LATE', 'NO_ADAPTER', 'ADAPTER_FAULT', 'PLAN_REJECTED', 'INTERNAL',
        )
    },
)  # fmt: skip
Ending.__doc__ = """The error codes of PlanTask's result, by name; NONE is success."""


class TaskEnd(Exception):
    """Ends the running task; carries the code and what to tell."""

    def __init__(self, ending: Ending, message: str) -> None:
        super().__init__(f'{ending.name}: {message}')
        self.ending = ending
        self.message = message


_ENDINGS: tuple[tuple[type[VidPlanError], Ending], ...] = (
    (InstructionError, Ending.INVALID_INSTRUCTION),
    (TargetNotFoundError, Ending.TARGET_NOT_FOUND),
    (ObservationError, Ending.INVALID_OBSERVATION),
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
