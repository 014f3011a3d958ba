# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidplan_core.geometry.limits import JointLimits
from vidplan_core.geometry.path import JointTrajectoryPlan
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.trajectory import HOLD_S, brake, hold, joint_trajectory

FR3, FR3_HARD = default_robot().limits, default_robot().hard_limits
PERIOD_S = 0.2
MIDDLE = (FR3.lower + FR3.upper) / 2

# A sample may miss the extreme by its spacing; nothing else is forgiven.
LOOSE = JointLimits(
    FR3.names, FR3.lower - 1e-6, FR3.upper + 1e-6, FR3.velocity + 1e-6, FR3.acceleration + 1e-6
)

seeds = st.integers(0, 2**32 - 1)


def random_motion(seed: int, step: float, speed: float) -> tuple[np.ndarray, np.ndarray]:
    """Waypoints (5, 7) and a start velocity (7,) with room to stop in."""
    rng = np.random.default_rng(seed)
    velocity = rng.uniform(-speed, speed, 7) * FR3.velocity
    room = velocity**2 / FR3.acceleration + 0.2 * np.abs(velocity) * PERIOD_S * 4
    points = [rng.uniform(FR3.lower + room, FR3.upper - room)]
    for _ in range(4):
        points.append(FR3.clip(points[-1] + rng.normal(size=7) * PERIOD_S * FR3.velocity * step))
    return np.array(points), velocity


@given(seeds, st.floats(0, 1.5), st.floats(0, 0.6))
def test_keeps_every_limit_and_ends_at_rest(seed: int, step: float, speed: float) -> None:
    waypoints, velocity = random_motion(seed, step, speed)
    plan = joint_trajectory(waypoints, velocity, PERIOD_S, FR3)
    assert (np.diff(plan.times_s) > 0).all()
    assert plan.times_s[0] == 0
    np.testing.assert_array_equal(plan.q[0], waypoints[0])
    # A start that is slower than any sensor can tell counts as rest.
    np.testing.assert_allclose(plan.dq[0], velocity, atol=1e-6)
    np.testing.assert_array_equal(plan.dq[-1], 0)
    np.testing.assert_allclose(plan.q[-1], waypoints[-1], atol=1e-12)
    samples = plan.sample(np.linspace(0, plan.duration_s, 1000))
    assert LOOSE.violation(*samples) is None


@given(seeds, st.floats(0, 0.5))
def test_violation_is_exact_between_knots(seed: int, speed: float) -> None:
    """The closed-form extremes agree with dense sampling, inside and outside the limits."""
    waypoints, velocity = random_motion(seed, 1.0, speed)
    times = PERIOD_S * np.arange(5.0)
    rates = np.vstack((velocity, np.random.default_rng(seed).normal(size=(3, 7)), np.zeros(7)))
    plan = JointTrajectoryPlan(times, waypoints, rates)
    q, dq, ddq = plan.sample(np.linspace(0, times[-1], 4001))
    found = [np.abs(values).max(0) for values in (q, dq, ddq)]
    for scale, inside in ((1.0 + 1e-3, True), (1.0 - 1e-3, False)):
        bound = found[0] * scale + 1e-9
        limits = JointLimits(FR3.names, -bound, bound, scale * found[1], 1.01 * found[2])
        assert (plan.violation(limits) is None) is inside


def test_gentle_motion_keeps_its_time_and_smoothness() -> None:
    goal = MIDDLE + 0.1
    part = np.arange(5)[:, None] / 4
    waypoints = MIDDLE + (goal - MIDDLE) * part**2 * (3 - 2 * part)
    plan = joint_trajectory(waypoints, np.zeros(7), PERIOD_S, FR3)
    np.testing.assert_allclose(plan.times_s, PERIOD_S * np.arange(5))
    # The waypoints lie on one cubic, so the spline is that cubic: one jerk for all segments.
    _, _, before = plan.sample(plan.times_s[1:-1] - 1e-9)
    _, _, after = plan.sample(plan.times_s[1:-1] + 1e-9)
    np.testing.assert_allclose(before, after, atol=1e-6)


def test_first_interval_may_be_shorter() -> None:
    waypoints = np.linspace(MIDDLE, MIDDLE + 0.05, 4)
    plan = joint_trajectory(waypoints, np.zeros(7), PERIOD_S, FR3, first_s=0.15)
    np.testing.assert_allclose(np.diff(plan.times_s) / plan.times_s[1], [1, 4 / 3, 4 / 3])


def test_wrong_direction_brakes_first() -> None:
    velocity = 0.9 * FR3.velocity
    waypoints = np.linspace(MIDDLE, MIDDLE - 0.3, 5)
    plan = joint_trajectory(waypoints, velocity, PERIOD_S, FR3)
    assert len(plan.times_s) == 6
    np.testing.assert_array_equal(plan.dq[1], 0)
    assert LOOSE.violation(*plan.sample(np.linspace(0, plan.duration_s, 2000))) is None


@given(seeds, st.floats(1e-3, 1.0))
def test_brake_rests_straight_ahead_within_accelerations(seed: int, speed: float) -> None:
    velocity = np.random.default_rng(seed).uniform(-speed, speed, 7) * FR3.velocity
    plan = brake(MIDDLE, velocity, FR3, FR3_HARD)
    np.testing.assert_array_equal(plan.dq[-1], 0)
    _, dq, ddq = plan.sample(np.linspace(0, plan.duration_s, 50))
    assert (np.abs(ddq) <= FR3.acceleration + 1e-9).all()
    # As fast as allowed: some joint brakes at its limit, unless that would end before it arrives.
    if plan.duration_s > HOLD_S:
        assert (np.abs(ddq) / FR3.acceleration).max() == pytest.approx(1)
    assert plan.duration_s >= HOLD_S
    # Every velocity is a multiple of the first one: the direction stays.
    share = dq @ velocity / (velocity @ velocity)
    np.testing.assert_allclose(dq, share[:, None] * velocity, atol=1e-9)


def test_brake_gets_harder_before_the_end_of_a_joint() -> None:
    q, velocity = MIDDLE.copy(), np.zeros(7)
    q[1], velocity[1] = FR3_HARD.upper[1] - 0.08, 1.0
    plan = brake(q, velocity, FR3, FR3_HARD)
    assert plan.q[-1, 1] <= FR3_HARD.upper[1] + 1e-9
    _, _, ddq = plan.sample(np.linspace(0, plan.duration_s, 50))
    assert FR3.acceleration[1] < np.abs(ddq).max() <= FR3_HARD.acceleration[1] + 1e-9


def test_resting_arm_holds() -> None:
    plan = brake(MIDDLE, np.zeros(7), FR3)
    np.testing.assert_array_equal(plan.q, np.tile(MIDDLE, (2, 1)))
    assert plan.duration_s > 0
    np.testing.assert_array_equal(hold(MIDDLE, 0.5).times_s, [0, 0.5])


def test_cut_and_then_are_the_same_motion() -> None:
    waypoints, velocity = random_motion(3, 0.2, 0.1)
    plan = joint_trajectory(waypoints, velocity, PERIOD_S, FR3)
    middle = 0.37 * plan.duration_s
    joined = plan.cut(0, middle).then(plan.cut(middle, plan.duration_s))
    times = np.linspace(-0.1, plan.duration_s + 0.1, 200)
    for first, second in zip(plan.sample(times), joined.sample(times), strict=True):
        np.testing.assert_allclose(first, second, atol=1e-9)


def test_rests_after_its_end() -> None:
    waypoints, velocity = random_motion(4, 0.3, 0.2)
    plan = joint_trajectory(waypoints, velocity, PERIOD_S, FR3)
    q, dq, ddq = plan.sample(plan.duration_s + 5)
    np.testing.assert_allclose(q, waypoints[-1])
    np.testing.assert_array_equal([dq, ddq], 0)


@pytest.mark.parametrize(
    ('waypoints', 'velocity', 'period_s'),
    [
        (MIDDLE[None], np.zeros(7), 0.2),
        (np.tile(MIDDLE, (3, 1)), np.zeros(6), 0.2),
        (np.tile(MIDDLE, (3, 1)), np.full(7, np.nan), 0.2),
        (np.tile(MIDDLE, (3, 1)), np.zeros(7), 0.0),
    ],
    ids=['one_waypoint', 'velocity_size', 'nan', 'period'],
)
def test_senseless_input_is_refused(waypoints, velocity, period_s) -> None:  # noqa: ANN001
    with pytest.raises(ValueError):
        joint_trajectory(waypoints, velocity, period_s, FR3)
