# SPDX-License-Identifier: Apache-2.0
"""An arm that falls behind while it moves brakes at once, and may then go away from there."""

from __future__ import annotations

import numpy as np
import pytest

from tests.vidplan_core.control.arm import NAMES, plan_from, ready
from vidplan_core.control.config import AdapterConfig
from vidplan_core.control.joint_monitor import ContactWatch
from vidplan_core.control.watchdog import PLAN_OVERDUE

YIELDS = 0.02


@pytest.mark.parametrize(
    ('behind', 'stopping', 'pressing'),
    [
        ([0.0, 0.01], False, [False, False]),
        ([0.0, 0.03], False, [False, True]),
        ([0.0, 0.03], True, [False, False]),
        ([0.06, 0.05, 0.04, 0.01, 0.035], False, [True, True, True, False, True]),
    ],
)
def test_what_is_further_behind_than_it_was_presses(
    behind: list[float], stopping: bool, pressing: list[bool]
) -> None:
    watch, found = ContactWatch(YIELDS), []
    for angle in behind:
        watch.look(angle, stopping)
        found.append(watch.pressing)
    assert found == pressing


def test_the_way_back_from_where_it_came_to_rest_is_free() -> None:
    watch = ContactWatch(YIELDS)
    watch.look(0.08, stopping=True)
    found = []
    for angle in (0.08, 0.06, 0.02, 0.0, 0.01, 0.03):
        watch.look(angle, stopping=False)
        found.append(watch.pressing)
    assert found == [False, False, False, False, False, True]


@pytest.mark.fault('joints_behind')
@pytest.mark.parametrize('joint', [1, 5])
def test_a_held_up_arm_brakes_without_a_fault_and_takes_the_next_plan(joint: int) -> None:
    adapter, arm = ready(config=AdapterConfig(contact_error_rad=YIELDS))
    arm.accept(adapter.on_plan(plan_from(adapter, 0.0, (0.0, 0.0, -0.10)), 0.0))
    held, stopped_s = np.zeros(7), None
    for now_s in np.arange(0.0, 2.0, 0.01):
        q, dq, _ = arm.state(now_s)
        if now_s > 0.3:
            held[joint] = 0.05
        adapter.on_joint_state(now_s, NAMES, q - held, dq)
        if (due := adapter.poll(now_s)).trajectory is not None:
            arm.accept(due.trajectory)
            stopped_s = stopped_s or now_s
    assert stopped_s == pytest.approx(0.31, abs=0.02)
    status = adapter.status(2.0)
    assert (status.moving, status.verdict.reason) == (False, PLAN_OVERDUE)
    arm.accept(adapter.on_plan(plan_from(adapter, 2.0, (0.0, 0.0, 0.08), plan_id=2), 2.0))
    for now_s in np.arange(2.0, 2.3, 0.01):
        q, dq, _ = arm.state(now_s)
        adapter.on_joint_state(now_s, NAMES, q - held, dq)
        assert adapter.poll(now_s).trajectory is None
