# SPDX-License-Identifier: Apache-2.0
"""What the adapter does when controller or robot say that something went wrong."""

from __future__ import annotations

import numpy as np
import pytest

from tests.vidplan_core.control.arm import NAMES, START_Q, IdealArm, plan_from, ready
from vidplan_core.control.adapter import ActionAdapter
from vidplan_core.control.rejection import ABORTED, CONTACT, REFUSED
from vidplan_core.control.timeline import Follows
from vidplan_core.errors import CommandRejectedError

WAY = (0.08, 0.0, -0.05)


def underway(until_s: float) -> tuple[ActionAdapter, IdealArm]:
    """An adapter whose arm follows a first plan."""
    adapter, arm = ready()
    arm.accept(adapter.on_plan(plan_from(adapter, 0.0, WAY), 0.0))
    arm.tell(adapter, until_s)
    return adapter, arm


def require_fault(adapter: ActionAdapter, now_s: float, reason: str) -> None:
    """No plan is accepted, and the reason is said."""
    assert adapter.status(now_s).verdict.reason == reason
    with pytest.raises(CommandRejectedError) as refusal:
        adapter.on_plan(plan_from(adapter, now_s, (0.02, 0.0, 0.0), plan_id=9), now_s)
    assert refusal.value.reason == reason


@pytest.mark.fault('controller_refuses')
def test_after_a_refusal_the_arm_brakes_on_the_motion_that_it_still_follows() -> None:
    adapter, arm = underway(0.3)
    # Elsewhere after 0.4 s: an arm that did not take this plan is not on its way.
    adapter.on_plan(plan_from(adapter, 0.3, (-0.06, 0.05, 0.03), 0.4, plan_id=2), 0.3)
    adapter.on_fault(REFUSED, 'the controller refused it', Follows.BEFORE)
    stop = adapter.poll(0.32).trajectory
    assert stop is not None
    times = np.linspace(0.32, 1.5, 60)
    before = np.stack([arm.state(t)[0] for t in times])
    arm.accept(stop)
    after = np.stack([arm.state(t)[0] for t in times])
    # It stays on the way that it was on, and rests earlier.
    away = np.abs(after[:, None] - before[None]).max(-1).min(1)
    assert away.max() < 0.02
    assert not arm.state(stop.points[-1].time_from_start_s + 0.33)[1].any()
    require_fault(adapter, 0.32, REFUSED)


@pytest.mark.fault('reflex')
def test_nothing_is_sent_to_an_arm_that_was_halted() -> None:
    """A stop along the path would lead it back there from where it stands."""
    adapter, arm = underway(0.3)
    stands = arm.state(0.3)[0] + 0.1
    adapter.on_fault(ABORTED, 'the controller gave up', Follows.NOTHING)
    for now_s in np.arange(0.3, 1.5, 0.02):
        adapter.on_joint_state(now_s, NAMES, stands, np.zeros(7))
        assert adapter.poll(now_s).trajectory is None
    require_fault(adapter, 1.5, ABORTED)
    # A person's word makes it go on from where it stands.
    command = adapter.rearm(1.5)
    np.testing.assert_allclose(command.points[-1].q, stands)
    adapter.on_joint_state(2.0, NAMES, stands, np.zeros(7))
    adapter.on_plan(plan_from(adapter, 2.0, (0.02, 0.0, 0.0), plan_id=3), 2.0)


@pytest.mark.fault('contact')
def test_a_contact_brakes_on_the_path() -> None:
    adapter, arm = underway(0.3)
    adapter.on_fault(CONTACT, 'joint 4')
    stop = adapter.poll(0.3).trajectory
    assert stop is not None
    arm.accept(stop)
    assert not arm.state(0.3 + stop.points[-1].time_from_start_s)[1].any()
    require_fault(adapter, 0.3, CONTACT)


def test_an_arm_that_rests_stays_where_it_is() -> None:
    adapter, _ = ready()
    adapter.on_fault(ABORTED, 'deactivated', Follows.NOTHING)
    assert adapter.poll(0.02).trajectory is None
    np.testing.assert_allclose(adapter.committed(0.02).q, [START_Q])
