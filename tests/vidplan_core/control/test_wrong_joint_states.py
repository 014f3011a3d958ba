# SPDX-License-Identifier: Apache-2.0
"""A measurement is never chased: whatever joint states say, nobody moves the arm there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vidplan_core.control.arm import NAMES, START_Q, IdealArm, plan_from, ready
from vidplan_core.control import rejection, watchdog
from vidplan_core.control.adapter import ActionAdapter
from vidplan_core.errors import CommandRejectedError
from vidplan_core.geometry.robot_files import default_robot

HARD = default_robot().hard_limits
PERIOD_S = 0.02
Lie = Callable[[np.ndarray, float], np.ndarray]

WRONG = {
    'offset': (lambda q, since_s: q + 0.2, {rejection.TRACKING, rejection.JOINT_JUMP}),
    'drift': (lambda q, since_s: q + 0.4 * since_s, {rejection.TRACKING}),
    'other_arm': (lambda q, since_s: -q, {rejection.JOINT_JUMP, rejection.IMPOSSIBLE}),
    'degrees': (lambda q, since_s: np.degrees(q), {rejection.IMPOSSIBLE}),
}


def watch(
    adapter: ActionAdapter, arm: IdealArm, lie: Lie, begin_s: float, until_s: float
) -> list[float]:
    """Let time pass while joint states lie from `begin_s` on; returns when something was sent."""
    sent = []
    for now_s in np.arange(begin_s, until_s, PERIOD_S):
        q, dq, _ = arm.state(now_s)
        adapter.on_joint_state(now_s, NAMES, lie(q, now_s - begin_s), dq)
        command = adapter.poll(now_s).trajectory
        if command is not None:
            sent.append(float(now_s))
            arm.accept(command)
    return sent


@pytest.mark.parametrize('name', WRONG)
@pytest.mark.fault('joints_astray', 'joints_jump', 'joints_impossible')
def test_resting_arm_is_not_moved_by_a_wrong_joint_state(name: str) -> None:
    adapter, arm = ready()
    arm.accept(adapter.on_plan(plan_from(adapter, 0.0, (0.05, 0, 0)), 0.0))
    watch(adapter, arm, lambda q, _: q, PERIOD_S, 2.0)
    before = arm.state(2.0)[0]
    lie, reasons = WRONG[name]
    assert watch(adapter, arm, lie, 2.0, 4.0) == []
    np.testing.assert_array_equal(arm.state(4.0)[0], before)
    assert adapter.status(4.0).verdict.reason in reasons
    # It is a fault until a person says otherwise, even when the state is right again.
    watch(adapter, arm, lambda q, _: q, 4.0, 4.5)
    plan = plan_from(adapter, 4.5, (0.0, 0.03, 0.0), plan_id=2)
    with pytest.raises(CommandRejectedError) as caught:
        adapter.on_plan(plan, 4.5)
    assert caught.value.reason in reasons
    assert 'adapter/rearm' in str(caught.value)
    arm.accept(adapter.rearm(4.5))
    watch(adapter, arm, lambda q, _: q, 4.5, 5.0)
    adapter.on_plan(plan_from(adapter, 5.0, (0.0, 0.03, 0.0), plan_id=3), 5.0)


@given(
    st.sampled_from(sorted(WRONG)),
    st.tuples(*[st.floats(-0.1, 0.1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.03),
    st.floats(0.05, 0.5),
)
@pytest.mark.fault('joints_astray', 'joints_jump', 'joints_impossible')
def test_moving_arm_comes_to_rest_on_its_path(name: str, way: tuple, begin_s: float) -> None:
    adapter, arm = ready()
    planned = IdealArm()
    command = adapter.on_plan(plan_from(adapter, 0.0, way), 0.0)
    for follower in (arm, planned):
        follower.accept(command)
    watch(adapter, arm, lambda q, _: q, PERIOD_S, begin_s)
    lie, reasons = WRONG[name]
    watch(adapter, arm, lie, begin_s, 3.0)
    assert adapter.status(3.0).verdict.reason in reasons
    path = np.stack([planned.state(t)[0] for t in np.linspace(0, 1.0, 500)])
    seen = np.stack([arm.state(t)[0] for t in np.arange(begin_s, 3.0, PERIOD_S)])
    assert np.abs(seen[:, None] - path[None]).max(-1).min(-1).max() < 5e-3
    np.testing.assert_array_equal(arm.state(3.0)[1], 0)


@pytest.mark.fault('joints_frozen')
def test_frozen_joint_states_are_noticed_while_the_arm_moves() -> None:
    adapter, arm = ready()
    arm.accept(adapter.on_plan(plan_from(adapter, 0.0, (0.0, 0.1, -0.05)), 0.0))
    frozen = arm.state(0.2)[0]
    watch(adapter, arm, lambda q, _: q, PERIOD_S, 0.2)
    sent = watch(adapter, arm, lambda q, _: frozen, 0.2, 2.0)
    assert adapter.status(2.0).verdict.reason == rejection.FROZEN
    assert len(sent) == 1
    assert sent[0] < 0.5


@pytest.mark.fault('joints_jump')
def test_one_stray_joint_state_before_the_first_plan_is_a_fault() -> None:
    adapter, arm = ready()
    adapter.on_joint_state(0.02, NAMES, START_Q + 1.0, np.full(7, 0.5))
    assert adapter.poll(0.02).trajectory is None
    with pytest.raises(CommandRejectedError, match=rejection.JOINT_JUMP):
        adapter.stop(0.02)
    arm.tell(adapter, 0.04)
    adapter.rearm(0.04)
    assert adapter.status(0.3).verdict.reason != rejection.JOINT_JUMP


def test_rearm_leads_the_commanded_angles_slowly_to_an_arm_that_was_moved() -> None:
    adapter, arm = ready()
    arm.accept(adapter.on_plan(plan_from(adapter, 0.0, (0.05, 0, 0)), 0.0))
    watch(adapter, arm, lambda q, _: q, PERIOD_S, 1.5)
    there = arm.state(1.5)[0] + np.array([0.3, 0, 0, 0, 0, 0, 0.2])
    assert watch(adapter, arm, lambda q, _: there, 1.5, 2.0) == []
    command = adapter.rearm(1.98)
    np.testing.assert_allclose(command.points[-1].q, there)
    path = command.path_from(*arm.state(1.98))
    assert path.violation(default_robot().slowed(0.1, 0.1).limits) is None
    arm.accept(command)
    end_s = 1.98 + path.duration_s + 0.1
    assert watch(adapter, arm, lambda q, _: there, 2.0, end_s) == []
    adapter.on_plan(plan_from(adapter, end_s, (0.0, 0.03, 0.0), plan_id=2), end_s)


def test_rearm_believes_no_impossible_and_no_moving_arm() -> None:
    adapter, arm = ready()
    adapter.on_joint_state(0.02, NAMES, np.degrees(START_Q), np.zeros(7))
    with pytest.raises(CommandRejectedError, match='degrees'):
        adapter.rearm(0.02)
    adapter.on_joint_state(0.04, NAMES, START_Q, np.full(7, 0.3))
    with pytest.raises(CommandRejectedError, match='wait until it rests'):
        adapter.rearm(0.04)
    with pytest.raises(CommandRejectedError, match=rejection.NO_STATE):
        adapter.rearm(5.0)


def test_an_arm_rests_by_its_angles_whatever_its_velocities_say() -> None:
    adapter, _ = ready()
    adapter.on_fault(rejection.REFUSED, 'for a reason')
    for now_s in np.arange(0.02, 0.2, PERIOD_S).tolist():
        adapter.on_joint_state(now_s, NAMES, START_Q, np.full(7, 0.08))
    adapter.rearm(0.2)
    for now_s in np.arange(0.2, 0.4, PERIOD_S).tolist():
        adapter.on_joint_state(now_s, NAMES, START_Q + 0.1 * (now_s - 0.2), np.zeros(7))
    with pytest.raises(CommandRejectedError, match='wait until it rests'):
        adapter.rearm(0.4)


@pytest.mark.fault('joints_ahead')
def test_joint_state_stamped_ahead_is_not_fresh() -> None:
    """Neither when it comes, nor for as long as it is ahead."""
    adapter, _ = ready()
    adapter.on_joint_state(20.0, NAMES, START_Q, np.zeros(7), arrived_s=0.02)
    assert adapter.status(0.02).verdict.reason == watchdog.STALE_JOINT_STATE
    assert 'ahead' in adapter.status(0.02).verdict.message
    assert adapter.status(20.0).verdict.reason == watchdog.STALE_JOINT_STATE
    assert HARD.names == NAMES


@pytest.mark.fault('joints_ahead')
def test_what_a_moving_arm_stamps_ahead_is_compared_with_where_it_is_when_it_comes() -> None:
    adapter, arm = ready()
    arm.accept(adapter.on_plan(plan_from(adapter, 0.0, (0.08, 0, 0)), 0.0))
    watch(adapter, arm, lambda q, _: q, PERIOD_S, 0.3)
    adapter.on_joint_state(3600.0, NAMES, *arm.state(0.3)[:2], arrived_s=0.3)
    assert adapter.status(0.3).verdict.reason == watchdog.STALE_JOINT_STATE
