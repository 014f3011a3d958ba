# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.vidplan_core.control.arm import (
    FRAMES,
    NAMES,
    PERIOD_S,
    START_Q,
    IdealArm,
    changed,
    flange,
    plan_from,
    ready,
)
from vidplan_core.control import rejection, watchdog
from vidplan_core.control.adapter import ActionAdapter
from vidplan_core.control.config import AdapterConfig, SafetyConfig
from vidplan_core.control.gripper_schedule import GripperRule
from vidplan_core.errors import CommandRejectedError, ConfigError, ObservationError
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.se3 import matrix_to_quaternion, quaternion_to_matrix, so3_exp

FR3, FR3_HARD = default_robot().limits, default_robot().hard_limits
END_S = (FRAMES - 1) * PERIOD_S


def rejected(adapter: ActionAdapter, plan, now_s: float) -> str:  # noqa: ANN001
    before = adapter.committed(now_s) if adapter._timeline.measured else None
    with pytest.raises(CommandRejectedError) as caught:
        adapter.on_plan(plan, now_s)
    if before is not None:
        # What was sent before stays in force.
        np.testing.assert_array_equal(adapter.committed(now_s).q, before.q)
        assert adapter.status(now_s).rejection.startswith(caught.value.reason)
    return caught.value.reason


# Following plans


def test_follows_a_plan_and_rests_at_its_end() -> None:
    adapter, arm = ready()
    plan = plan_from(adapter, 0.0, (0.05, 0.04, -0.06))
    command = adapter.on_plan(plan, 0.0)
    arm.accept(command)
    assert command.joint_names == NAMES
    np.testing.assert_array_equal(command.points[-1].dq, 0)
    for frame, position in enumerate(plan.positions):
        np.testing.assert_allclose(flange(arm.state(frame * PERIOD_S)[0]), position, atol=1e-3)
    assert adapter.status(0.1).moving
    assert adapter.status(0.1).plan_id == 1
    assert adapter.status(0.1).rest_in_s == pytest.approx(END_S - 0.1)
    after = adapter.status(END_S)
    assert (after.moving, after.plan_id, after.rest_in_s) == (False, 0, 0)


def test_chains_of_plans_are_one_smooth_motion() -> None:
    """New plans every 0.4 s, each for 0.2 s ahead: no step in position or velocity."""
    adapter, arm = ready()
    arm.accept(adapter.on_plan(plan_from(adapter, 0.0, (0.08, 0, -0.04)), 0.0))
    rng = np.random.default_rng(0)
    now_s, seen = 0.0, []
    for cycle in range(1, 12):
        while now_s < 0.4 * cycle:
            seen.append(arm.state(now_s)[:2])
            now_s += 0.01
        arm.tell(adapter, now_s)
        step = rng.normal(size=3)
        home = flange(START_Q) - adapter.committed(now_s).position[-1]
        goal = tuple(0.05 * step / np.linalg.norm(step) + 0.5 * home)
        plan = plan_from(adapter, now_s, goal, start_s=now_s + 0.2, plan_id=cycle + 1)
        arm.accept(adapter.on_plan(plan, now_s))
    q, dq = (np.stack(values) for values in zip(*seen, strict=True))
    assert np.abs(np.diff(q, axis=0)).max() < 0.01 * FR3.velocity.max()
    assert (np.abs(np.diff(dq, axis=0)) <= 0.0101 * FR3.acceleration).all()
    assert FR3.violation(q, dq) is None


def test_committed_motion_is_kept_until_the_plan_starts() -> None:
    adapter, arm = ready()
    arm.accept(adapter.on_plan(plan_from(adapter, 0.0, (0.0, 0.08, 0.0)), 0.0))
    before = [arm.state(time_s) for time_s in np.arange(0.1, 0.45, 0.01)]
    arm.tell(adapter, 0.1)
    plan = plan_from(adapter, 0.1, (0.0, 0.0, 0.05), start_s=0.45, plan_id=2)
    arm.accept(adapter.on_plan(plan, 0.1))
    after = [arm.state(time_s) for time_s in np.arange(0.1, 0.45, 0.01)]
    np.testing.assert_allclose(np.array(after)[:, :2], np.array(before)[:, :2], atol=1e-9)
    end = flange(arm.state(0.45 + END_S)[0])
    np.testing.assert_allclose(end, plan.positions[-1], atol=1e-3)


@pytest.mark.parametrize('late_s', [0.0, 0.02, 0.09, 0.11, 0.19])
def test_plan_that_is_a_little_late_joins(late_s: float) -> None:
    adapter, arm = ready()
    arm.accept(adapter.on_plan(plan_from(adapter, 0.0, (0.0, 0.06, 0.0)), 0.0))
    arm.tell(adapter, 0.2)
    plan = plan_from(adapter, 0.2, (0.0, 0.03, 0.02), start_s=0.4, plan_id=2)
    now_s = 0.4 + late_s
    arm.tell(adapter, now_s)
    before = arm.state(now_s)
    command = adapter.on_plan(plan, now_s)
    arm.accept(command)
    assert min(point.time_from_start_s for point in command.points) >= PERIOD_S / 2 - 1e-9
    np.testing.assert_allclose(arm.state(now_s)[:2], before[:2], atol=1e-9)
    np.testing.assert_allclose(
        flange(arm.state(0.4 + 2 * END_S)[0]), plan.positions[-1], atol=1e-3
    )


def test_plan_without_a_frame_left_is_stale() -> None:
    adapter, arm = ready()
    plan = plan_from(adapter, 0.0, (0.01, 0.0, 0.0))
    short = {name: getattr(plan, name)[:2] for name in ('positions', 'quaternions', 'closedness')}
    arm.tell(adapter, 0.15)
    assert rejected(adapter, changed(plan, **short), 0.15) == rejection.STALE


def test_equal_inputs_give_equal_commands() -> None:
    commands = []
    for _ in range(2):
        adapter, _ = ready()
        commands.append(adapter.on_plan(plan_from(adapter, 0.0, (0.05, 0.05, 0.0)), 0.0))
    for first, second in zip(commands[0].points, commands[1].points, strict=True):
        np.testing.assert_array_equal(first.q, second.q)


# Bad plans


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'positions': np.full((FRAMES, 3), np.nan)}, rejection.NONFINITE),
        ({'positions': np.full((FRAMES, 3), 1e9)}, rejection.WORKSPACE),
        ({'positions': np.full((FRAMES, 2), 0.1)}, rejection.WRONG_SIZE),
        ({'stamp_s': -5.0}, rejection.STALE),
        ({'start_s': -0.25}, rejection.STALE),
        ({'positions': np.tile([0.5, 0.0, 0.05], (FRAMES, 1))}, rejection.WORKSPACE),
        ({'positions': np.tile([0.5, 0.3, 0.4], (FRAMES, 1))}, rejection.JUMP),
        ({'quaternions': np.tile([0.0, 0.6, 0.8, 0.0], (FRAMES, 1))}, rejection.JUMP),
    ],
    ids=['nan', 'huge', 'size', 'old', 'late', 'in_the_table', 'elsewhere', 'turned'],
)
@pytest.mark.fault('plan_nan', 'plan_outside', 'plan_huge', 'plan_old', 'plan_jump')
def test_bad_plan_is_rejected_at_rest_and_in_motion(change: dict, reason: str) -> None:
    adapter, arm = ready()
    plan = changed(plan_from(adapter, 0.0, (0.05, 0.0, 0.0)), **change)
    assert rejected(adapter, plan, 0.0) == reason
    assert not adapter.status(0.0).moving
    good = plan_from(adapter, 0.0, (0.05, 0.0, 0.0), plan_id=2)
    arm.accept(adapter.on_plan(good, 0.0))
    arm.tell(adapter, 0.1)
    moving = changed(plan_from(adapter, 0.1, (0.0, 0.05, 0.0), plan_id=3), **change)
    assert rejected(adapter, moving, 0.1) in (reason, rejection.OUT_OF_ORDER)
    assert adapter.status(0.1).plan_id == 2


@pytest.mark.fault('plan_unreachable')
def test_pose_out_of_reach() -> None:
    """Inside the box and slow enough, yet the wrist cannot tip over that far."""
    adapter, _ = ready()
    plan = plan_from(adapter, 0.0, (0.0, 0.0, 0.0))
    tipping = torch.zeros(len(plan.quaternions), 3, dtype=torch.float64)
    tipping[:, 1] = 0.39 * torch.arange(len(tipping))
    rotations = so3_exp(tipping) @ quaternion_to_matrix(torch.from_numpy(plan.quaternions))
    quaternions = matrix_to_quaternion(rotations).numpy()
    assert rejected(adapter, changed(plan, quaternions=quaternions), 0.0) in (
        rejection.UNREACHABLE,
        rejection.WORKSPACE,
    )


@pytest.mark.fault('plan_old')
def test_plan_from_an_older_observation_is_out_of_order() -> None:
    adapter, arm = ready()
    adapter.on_plan(changed(plan_from(adapter, 0.0, (0.05, 0, 0)), stamp_s=0.0), 0.0)
    older = changed(plan_from(adapter, 0.0, (0.05, 0, 0), plan_id=2), stamp_s=-0.1)
    assert rejected(adapter, older, 0.0) == rejection.OUT_OF_ORDER


@pytest.mark.fault('joints_stop')
def test_without_a_fresh_joint_state_nothing_moves() -> None:
    known, _ = ready()
    plan = plan_from(known, 0.0, (0.05, 0, 0))
    unknown = ActionAdapter()
    assert rejected(unknown, plan, 0.0) == rejection.NO_STATE
    with pytest.raises(CommandRejectedError, match=rejection.NO_STATE):
        unknown.stop(0.0)
    with pytest.raises(CommandRejectedError, match=rejection.NO_STATE):
        unknown.committed(0.0)
    old = changed(plan, stamp_s=0.9, start_s=1.0)
    assert rejected(known, old, 1.0) == rejection.NO_STATE


@pytest.mark.fault('joints_astray')
def test_arm_that_does_not_follow_gets_no_new_plan() -> None:
    adapter, _ = ready()
    adapter.on_plan(plan_from(adapter, 0.0, (0.0, 0.1, -0.05)), 0.0)
    stuck = IdealArm()
    stuck.tell(adapter, 0.6)
    plan = plan_from(adapter, 0.6, (0.0, 0.02, 0.0), plan_id=2)
    assert rejected(adapter, plan, 0.6) == rejection.TRACKING


@pytest.mark.fault('plan_long')
def test_plan_that_lasts_for_long_is_refused() -> None:
    """64 frames of 1 s passed once: a minute of motion with nobody planning."""
    adapter, _ = ready()
    plan = plan_from(adapter, 0.0, (0.05, 0.0, 0.0))
    slow = changed(plan, period_s=1.0, start_s=0.0)
    config = AdapterConfig(safety=SafetyConfig(max_duration_s=3.9))
    short, _ = ready(config=config)
    assert rejected(short, slow, 0.0) == rejection.TOO_LONG


# Joint states


@pytest.mark.parametrize(
    ('names', 'count', 'said'),
    [
        (NAMES[:6], 6, 'must name each of'),
        ((*NAMES[:6], 'panda_joint7'), 7, "'panda_joint7'"),
        ((*NAMES, NAMES[0]), 8, 'must name each of'),
        (NAMES, 6, 'got (6,)'),
        ((), 0, 'must name each of'),
    ],
    ids=['missing', 'other_robot', 'twice', 'size', 'nothing'],
)
@pytest.mark.fault('joints_wrong')
def test_wrong_joint_state_is_refused(names: tuple, count: int, said: str) -> None:
    with pytest.raises(ObservationError) as caught:
        ActionAdapter().on_joint_state(0.0, names, np.zeros(count), np.zeros(count))
    assert said in str(caught.value)


@pytest.mark.fault('joints_nan')
def test_nan_joint_state_is_refused() -> None:
    with pytest.raises(ObservationError, match='must be finite'):
        ActionAdapter().on_joint_state(0.0, NAMES, START_Q * np.nan, START_Q)


def test_joints_are_found_by_name() -> None:
    adapter, _ = ready()
    names = ('fr3_finger_joint1', *NAMES[::-1], 'fr3_finger_joint2')
    adapter.on_joint_state(0.01, names, [0.04, *START_Q[::-1], 0.04], np.zeros(9))
    np.testing.assert_array_equal(adapter.committed(0.01).q[-1], START_Q)


# Stopping


@given(
    st.tuples(*[st.floats(-0.12, 0.12)] * 3).filter(lambda v: np.linalg.norm(v) > 0.02),
    st.floats(0.0, END_S + 0.1),
)
def test_stop_always_comes_to_rest(displacement: tuple, stop_s: float) -> None:
    adapter, arm = ready()
    planned = IdealArm()
    motion = adapter.on_plan(plan_from(adapter, 0.0, displacement), 0.0)
    for follower in (arm, planned):
        follower.accept(motion)
    before = arm.state(stop_s)
    command = adapter.stop(stop_s)
    arm.accept(command)
    np.testing.assert_array_equal(command.points[-1].dq, 0)
    np.testing.assert_allclose(arm.state(stop_s)[:2], before[:2], atol=1e-9)
    times = np.linspace(stop_s, stop_s + 1, 300)
    q, dq, ddq = (np.stack(values) for values in zip(*map(arm.state, times), strict=True))
    assert FR3_HARD.violation(q, dq, ddq) is None
    np.testing.assert_array_equal(dq[-1], 0)
    assert command.points[-1].time_from_start_s < 0.5
    # On the path that was sent: every place is one that the arm would have come by.
    places = np.stack([q for q, _, _ in map(planned.state, np.linspace(stop_s, END_S + 0.1, 600))])
    apart = np.abs(q[:, None] - places[None]).max(-1).min(-1)
    assert apart.max() < 4e-3


def test_stop_forgets_the_gripper_and_says_so() -> None:
    adapter, arm = ready()
    plan = plan_from(adapter, 0.0, (0.05, 0, 0))
    plan.closedness[2:] = 1.0
    arm.accept(adapter.on_plan(plan, 0.0))
    adapter.stop(0.1)
    assert adapter.status(0.1).stopping
    arm.tell(adapter, 1.0)
    assert adapter.poll(1.0).closedness is None


def test_restarted_adapter_stops_an_arm_that_moves() -> None:
    adapter, dq = ActionAdapter(), 0.2 * FR3.velocity
    adapter.on_joint_state(5.0, NAMES, START_Q, dq)
    command = adapter.stop(5.0)
    np.testing.assert_array_equal(command.points[-1].dq, 0)
    assert (np.sign(command.points[-1].q - START_Q) == np.sign(dq)).all()


# Silence


@pytest.mark.fault('joints_stop')
def test_lost_joint_states_stop_the_arm_once() -> None:
    adapter, arm = ready()
    adapter.on_plan(plan_from(adapter, 0.0, (0.1, 0, 0)), 0.0)
    arm.tell(adapter, 0.05)
    assert adapter.poll(0.2).trajectory is None
    stop = adapter.poll(0.31).trajectory
    assert stop is not None
    np.testing.assert_array_equal(stop.points[-1].dq, 0)
    verdict = adapter.status(0.31).verdict
    assert (verdict.rest, verdict.reason) == (True, watchdog.STALE_JOINT_STATE)
    assert adapter.poll(0.32).trajectory is None


@pytest.mark.fault('plan_none')
def test_dead_planner_leaves_the_arm_at_rest() -> None:
    adapter, arm = ready()
    arm.accept(adapter.on_plan(plan_from(adapter, 0.0, (0.1, 0, 0)), 0.0))
    for now_s in np.arange(0.02, 2.0, 0.02):
        arm.tell(adapter, now_s)
        assert adapter.poll(now_s).trajectory is None
    np.testing.assert_array_equal(arm.state(2.0)[1], 0)
    assert adapter.status(2.0).verdict.reason == watchdog.PLAN_OVERDUE


@pytest.mark.fault('server_paused')
def test_plans_of_a_planner_that_was_paused_are_refused() -> None:
    """What it was about to send when it was stopped comes when it goes on."""
    adapter, arm = ready()
    arm.accept(adapter.on_plan(plan_from(adapter, 0.0, (0.1, 0, 0)), 0.0))
    arm.tell(adapter, 0.4)
    held_back = plan_from(adapter, 0.4, (0.0, 0.1, 0), plan_id=2)
    arm.tell(adapter, 3.0)
    assert adapter.status(3.0).verdict.reason == watchdog.PLAN_OVERDUE
    assert rejected(adapter, held_back, 3.0) == rejection.STALE
    assert not adapter.status(3.0).moving


@pytest.mark.fault('adapter_paused')
def test_an_adapter_that_was_paused_moves_nothing_when_it_goes_on() -> None:
    """The arm has come to rest without it; joint states and plans that waited are old."""
    adapter, arm = ready()
    arm.accept(adapter.on_plan(plan_from(adapter, 0.0, (0.1, 0, 0)), 0.0))
    waiting = plan_from(adapter, 0.0, (0.0, 0.1, 0), plan_id=2)
    q, dq, _ = arm.state(0.02)
    adapter.on_joint_state(0.02, NAMES, q, dq, 2.5)
    assert rejected(adapter, waiting, 2.5) in (rejection.STALE, rejection.NO_STATE)
    arm.tell(adapter, 2.5)
    assert rejected(adapter, waiting, 2.5) == rejection.STALE
    assert adapter.poll(2.5).trajectory is None
    np.testing.assert_array_equal(arm.state(2.5)[1], 0)
    assert adapter.status(2.5).verdict.reason == watchdog.PLAN_OVERDUE


@pytest.mark.parametrize(
    ('joint_state_s', 'rest_at_s', 'reason'),
    [
        (None, None, watchdog.NO_JOINT_STATE),
        (9.0, 11.0, watchdog.STALE_JOINT_STATE),
        (np.nan, 11.0, watchdog.STALE_JOINT_STATE),
        (9.9, 9.5, watchdog.PLAN_OVERDUE),
        (9.9, 11.0, watchdog.FINE),
        (9.9, None, watchdog.FINE),
    ],
)
@pytest.mark.fault('joints_never', 'joints_stop', 'plan_none')
def test_watchdog(joint_state_s: float | None, rest_at_s: float | None, reason: str) -> None:
    verdict = watchdog.Watchdog(0.25).check(10.0, joint_state_s, rest_at_s)
    assert (verdict.reason, verdict.rest) == (reason, reason != watchdog.FINE)
    assert bool(verdict.message) is verdict.rest


def test_clock_that_restarts_at_rest_begins_anew() -> None:
    adapter, arm = ready()
    adapter.on_joint_state(100.0, NAMES, START_Q, np.zeros(7))
    adapter.on_plan(plan_from(adapter, 100.0, (0.05, 0, 0)), 100.0)
    adapter.poll(102.0)
    assert adapter.poll(1.0).trajectory is None
    assert adapter.status(1.0).verdict.reason == watchdog.NO_JOINT_STATE
    adapter.on_joint_state(1.0, NAMES, START_Q, np.zeros(7))
    adapter.on_plan(plan_from(adapter, 1.0, (0.05, 0, 0)), 1.0)


@pytest.mark.parametrize('step_s', [-50.0, -0.3, 20.0])
@pytest.mark.fault('clock_step')
def test_clock_that_is_set_while_the_arm_moves_brakes(step_s: float) -> None:
    adapter, arm = ready()
    arm.accept(adapter.on_plan(plan_from(adapter, 0.0, (0.1, 0, 0)), 0.0))
    arm.tell(adapter, 0.3)
    assert adapter.poll(0.3).trajectory is None
    q, dq, _ = arm.state(0.3)
    adapter.on_clock_step(step_s)
    stop = adapter.poll(0.3 + step_s).trajectory
    assert stop is not None
    assert np.abs(dq).max() > 0.05
    # It begins where the arm is, whatever the clock says, and goes on along its path.
    np.testing.assert_allclose(adapter.committed(0.3 + step_s).q[0], q, atol=1e-9)
    np.testing.assert_allclose(adapter.committed(0.3 + step_s).dq[0], dq, atol=1e-9)
    assert adapter.status(0.3 + step_s).verdict.reason == rejection.CLOCK_STEP


# Committed motion


def test_committed_motion_describes_what_happens() -> None:
    adapter, arm = ready()
    arm.accept(adapter.on_plan(plan_from(adapter, 0.0, (0.08, 0.02, -0.03)), 0.0))
    motion = adapter.committed(0.13)
    assert motion.times_s[0] == 0.13
    assert motion.times_s[-1] == pytest.approx(END_S)
    assert (np.diff(motion.times_s) > 0).all()
    for row, time_s in enumerate(motion.times_s):
        q, dq, _ = arm.state(time_s)
        np.testing.assert_allclose(motion.q[row], q, atol=1e-9)
        np.testing.assert_allclose(motion.position[row], flange(q), atol=1e-9)
        step = (flange(q + 1e-6 * dq) - flange(q - 1e-6 * dq)) / 2e-6
        np.testing.assert_allclose(motion.velocity[row], step, atol=1e-6)
    np.testing.assert_array_equal(motion.dq[-1], 0)
    still = adapter.committed(3.0)
    assert still.times_s.tolist() == [3.0]
    np.testing.assert_array_equal(still.velocity, 0)


# Gripper


def drive(adapter: ActionAdapter, arm: IdealArm, until_s: float) -> list[tuple[float, float]]:
    sent = []
    for now_s in np.arange(0.0, until_s, 0.05):
        arm.tell(adapter, now_s)
        closedness = adapter.poll(now_s).closedness
        if closedness is not None:
            sent.append((round(float(now_s), 2), closedness))
    return sent


def test_gripper_closes_once_when_it_is_due() -> None:
    adapter, arm = ready()
    plan = plan_from(adapter, 0.0, (0.02, 0, 0))
    plan.closedness[:] = [0.0, 0.3, 0.7, 0.9, 1.0]
    command = adapter.on_plan(plan, 0.0)
    assert [(event.time_s, event.closedness) for event in command.gripper] == [(0.4, 1.0)]
    np.testing.assert_array_equal(adapter.committed(0.3).closedness[[0, -1]], [0, 1])
    arm.accept(command)
    assert drive(adapter, arm, 1.0) == [(0.4, 1.0)]


def test_replaced_plan_does_not_close_the_gripper() -> None:
    adapter, arm = ready()
    plan = plan_from(adapter, 0.0, (0.02, 0, 0))
    plan.closedness[3:] = 1.0
    arm.accept(adapter.on_plan(plan, 0.0))
    arm.tell(adapter, 0.2)
    arm.accept(adapter.on_plan(plan_from(adapter, 0.2, (0.02, 0, 0), start_s=0.4, plan_id=2), 0.2))
    assert drive(adapter, arm, 1.5) == []


@pytest.mark.parametrize('early_s', [0.02, 0.1, 0.25, 0.39])
def test_plans_that_come_early_do_not_put_off_the_gripper(early_s: float) -> None:
    adapter, arm = ready()
    adapter.on_gripper_state(0.0)
    arm.accept(adapter.on_plan(plan_from(adapter, 0.0, (0.02, 0, 0), closedness=1.0), 0.0))
    sent = []
    for plan_id in range(2, 6):
        start_s = 0.4 * (plan_id - 1)
        now_s = start_s - early_s
        arm.tell(adapter, now_s)
        sent.append(adapter.poll(now_s).closedness)
        plan = plan_from(
            adapter, now_s, (0.01, 0, 0), closedness=1.0, start_s=start_s, plan_id=plan_id
        )
        assert adapter.committed(now_s).closedness[-1] == 1.0
        command = adapter.on_plan(plan, now_s)
        assert command.gripper == ()
        arm.accept(command)
    arm.tell(adapter, 1.3)
    sent.append(adapter.poll(1.3).closedness)
    assert [one for one in sent if one is not None] == [1.0]
    assert sent.index(1.0) <= 1


def test_gripper_follows_in_position_mode() -> None:
    config = AdapterConfig(gripper=GripperRule(mode='position', deadband=0.1))
    adapter, arm = ready(config=config)
    plan = plan_from(adapter, 0.0, (0.02, 0, 0))
    plan.closedness[:] = [0.0, 0.05, 0.3, 0.35, 0.6]
    arm.accept(adapter.on_plan(plan, 0.0))
    assert drive(adapter, arm, 1.0) == [(0.4, 0.3), (0.8, 0.6)]


def test_measured_gripper_counts_until_commanded() -> None:
    adapter, arm = ready()
    adapter.on_gripper_state(0.8)
    command = adapter.on_plan(plan_from(adapter, 0.0, (0.02, 0, 0), closedness=0.0), 0.0)
    assert [event.closedness for event in command.gripper] == [0.0]
    with pytest.raises(ObservationError, match='closedness must be finite'):
        adapter.on_gripper_state(np.nan)


@pytest.mark.parametrize('change', [{'mode': 'soft'}, {'open_below': 0.9}, {'deadband': -1.0}])
def test_senseless_gripper_rule_is_refused(change: dict) -> None:
    with pytest.raises(ConfigError):
        GripperRule(**change)
