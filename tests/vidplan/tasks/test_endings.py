# SPDX-License-Identifier: Apache-2.0
"""Which error of the core is which end of a task."""

from __future__ import annotations

import pytest

pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from vidplan.tasks.endings import Ending, TaskEnd, task_end
from vidplan_core.errors import (
    InstructionError,
    ModelError,
    NoProgressError,
    ObservationError,
    TargetNotFoundError,
    UnexpectedOutcomeError,
)


@pytest.mark.parametrize(
    ('error', 'ending'),
    [
        (InstructionError('what?'), Ending.INVALID_INSTRUCTION),
        (TargetNotFoundError('where?'), Ending.TARGET_NOT_FOUND),
        (UnexpectedOutcomeError('it fell'), Ending.UNEXPECTED_OUTCOME),
        (NoProgressError('it is blocked'), Ending.TASK_INCOMPLETE),
        (ObservationError('dark'), Ending.INVALID_OBSERVATION),
        (ModelError('not finite'), Ending.MODEL_ERROR),
        (ZeroDivisionError('ours'), Ending.INTERNAL),
    ],
)
def test_every_error_ends_a_task_by_its_name(error: Exception, ending: Ending) -> None:
    found = task_end(error)
    assert found.ending is ending
    assert str(error) in found.message


def test_an_end_stays_what_it_is() -> None:
    end = TaskEnd(Ending.CANCELED, 'by the client')
    assert task_end(end) is end
