# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidplan_core.geometry import trajectory
from vidplan_core.geometry.limits import JointLimits
from vidplan_core.geometry.path import JointTrajectoryPlan
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.trajectory import (
    HOLD_S,
    brake,
    brake_along,
    hold,
    joint_trajectory,
)

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
    require_smooth(plan, np.zeros(7), FR3)


def require_smooth(plan: JointTrajectoryPlan, ddq0: np.ndarray, limits: JointLimits) -> None:
    """Acceleration begins at `ddq0`, ends at 0, and changes no faster than the limit on jerk."""
    times = np.arange(0, plan.duration_s + 2e-3, 1e-3)
    _, _, ddq = plan.sample(times)
    np.testing.assert_allclose(ddq[0], ddq0, atol=1e-6)
    np.testing.assert_array_equal(ddq[-1], 0)
    assert (np.abs(np.diff(ddq, axis=0)) / 1e-3 <= limits.jerk + 1e-3).all()


@given(seeds, st.floats(-1, 1), st.floats(0, 0.4))
def test_hand_over_in_acceleration_is_smooth(seed: int, rate: float, speed: float) -> None:
    waypoints, velocity = random_motion(seed, 0.3, speed)
    ddq0 = rate * FR3.acceleration
    plan = joint_trajectory(waypoints, velocity, PERIOD_S, FR3, ddq0=ddq0)
    require_smooth(plan, ddq0, FR3_HARD)
    np.testing.assert_allclose(plan.q[-1], waypoints[-1], atol=0.2)


@given(seeds, st.floats(0, 0.5))
def test_violation_misses_nothing_and_is_tight(seed: int, speed: float) -> None:
    """Bounds agree with dense sampling, inside and outside the limits."""
    rng = np.random.default_rng(seed)
    waypoints, velocity = random_motion(seed, 1.0, speed)
    times, rest = PERIOD_S * np.arange(5.0), np.zeros(7)
    plan = JointTrajectoryPlan(
        times, waypoints, np.vstack((velocity, rng.normal(size=(3, 7)), rest)),
        np.vstack((5 * rng.normal(size=(4, 7)), rest)),
    )  # fmt: skip
    q, dq, ddq = plan.sample(np.linspace(0, times[-1], 8001))
    jerk = np.abs(np.diff(ddq, axis=0)).max(0) / 1e-4
    found = [np.abs(values).max(0) for values in (q, dq, ddq)]
    wide = JointLimits(
        FR3.names, -1.05 * found[0] - 0.01, 1.05 * found[0] + 0.01, 1.05 * found[1],
        1.05 * found[2], jerk=1.05 * jerk,
    )  # fmt: skip
    assert plan.violation(wide) is None
    for name, index in (('velocity', 1), ('acceleration', 2)):
        assert name in str(plan.violation(replace(wide, **{name: 0.999 * found[index]})))
    assert 'jerk' in str(plan.violation(replace(wide, jerk=0.99 * jerk)))
    assert 'position' in str(plan.violation(replace(wide, upper=q.max(0) - 1e-4)))


@given(seeds, st.floats(0.05, 0.95))
def test_braking_along_a_path_stays_on_it_smoothly(seed: int, share: float) -> None:
    waypoints, velocity = random_motion(seed, 0.3, 0.0)
    path = joint_trajectory(waypoints, velocity, PERIOD_S, FR3)
    elapsed_s = share * path.duration_s
    plan = brake_along(path, elapsed_s, FR3_HARD)
    q, dq, ddq = path.sample(elapsed_s)
    np.testing.assert_allclose((plan.q[0], plan.dq[0]), (q, dq), atol=1e-9)
    require_smooth(plan, ddq, FR3_HARD)
    assert plan.duration_s <= max(HOLD_S, path.duration_s - elapsed_s) + 1e-9
    # Every angle on the way is one that the path leads through, too.
    way, there = plan.sample(np.linspace(0, plan.duration_s, 50))[0], path.sample(
        np.linspace(elapsed_s, path.duration_s, 2000)
    )[0]
    assert np.abs(way[:, None] - there).max(-1).min(1).max() < 2e-3


def test_gentle_motion_keeps_its_time_and_smoothness() -> None:
    goal = MIDDLE + 0.1
    part = np.arange(5)[:, None] / 4
    waypoints = MIDDLE + (goal - MIDDLE) * part**2 * (3 - 2 * part)
    plan = joint_trajectory(waypoints, np.zeros(7), PERIOD_S, FR3)
    np.testing.assert_allclose(plan.times_s, PERIOD_S * np.arange(5))
    require_smooth(plan, np.zeros(7), replace(FR3, jerk=np.full(7, 30.0)))


@pytest.mark.parametrize('speed', [0.0, 0.1])
@pytest.mark.parametrize('beyond', [1.002, 1.03, 1.2])
def test_a_motion_slows_down_little_more_than_its_limits_ask_for(
    beyond: float, speed: float
) -> None:
    """In coarse steps, a motion that asked for 0.04 % too much took 10 % longer."""
    rng = np.random.default_rng(3)
    steps = np.cumsum(rng.uniform(0.01, 0.05, (5, 7)), axis=0)
    start = speed * steps[0] / PERIOD_S
    fast = joint_trajectory(MIDDLE + steps, start, PERIOD_S, FR3)
    assert fast.duration_s == pytest.approx(4 * PERIOD_S)
    # The same way at a pace that its limits allow only `beyond` as slowly.
    period_s = PERIOD_S * fast.excess(FR3) / beyond
    slowed = joint_trajectory(MIDDLE + steps, start, period_s, FR3)
    assert slowed.violation(FR3) is None
    assert 1.0 < slowed.duration_s / (4 * period_s) < beyond**1.5 + 0.005


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
    plan = brake((MIDDLE, velocity, np.zeros(7)), FR3, FR3_HARD)
    require_smooth(plan, np.zeros(7), FR3_HARD)
    np.testing.assert_array_equal(plan.dq[-1], 0)
    _, dq, ddq = plan.sample(np.linspace(0, plan.duration_s, 50))
    assert (np.abs(ddq) <= FR3.acceleration + 1e-9).all()
    # As fast as allowed: some joint brakes about at its limit, unless that takes no time.
    if plan.duration_s > HOLD_S:
        assert (np.abs(ddq) / FR3.acceleration).max() > 0.88
    assert plan.duration_s >= HOLD_S
    # Every velocity is a multiple of the first one: the direction stays.
    share = dq @ velocity / (velocity @ velocity)
    np.testing.assert_allclose(dq, share[:, None] * velocity, atol=1e-9)


def test_brake_gets_harder_before_the_end_of_a_joint() -> None:
    q, velocity = MIDDLE.copy(), np.zeros(7)
    q[1], velocity[1] = FR3_HARD.upper[1] - 0.08, 1.0
    plan = brake((q, velocity, np.zeros(7)), FR3, FR3_HARD)
    assert plan.q[-1, 1] <= FR3_HARD.upper[1] + 1e-9
    _, _, ddq = plan.sample(np.linspace(0, plan.duration_s, 50))
    assert FR3.acceleration[1] < np.abs(ddq).max() <= FR3_HARD.acceleration[1] + 1e-9


def test_resting_arm_holds() -> None:
    plan = brake((MIDDLE, np.zeros(7), np.zeros(7)), FR3)
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


@pytest.mark.parametrize('count', [2, 3, 5, 12])
def test_a_spline_is_known_from_its_knots(count: int) -> None:
    """The oracle is SciPy's, whose end conditions are exact up to rounding only."""
    random = np.random.default_rng(count)
    times = (0.0, *np.cumsum(random.uniform(0.03, 0.4, count - 1)).tolist())
    found, spline = trajectory._knot_weights(times), trajectory.rest_spline(times)
    for order in (1, 2):
        expected = spline(np.array(times), order)
        tolerance = 1e-9 * np.abs(expected).max()
        np.testing.assert_allclose(found[order - 1], expected, atol=tolerance)
        assert not found[order - 1, -1].any()


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
