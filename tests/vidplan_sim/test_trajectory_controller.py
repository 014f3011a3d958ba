# SPDX-License-Identifier: Apache-2.0
"""The controller follows and refuses trajectories as ros2_control's does."""

from __future__ import annotations

import numpy as np
import pytest

from vidplan_sim.arm.trajectory_controller import (
    INVALID_GOAL,
    INVALID_JOINTS,
    OLD_HEADER_TIMESTAMP,
    Point,
    Trajectory,
    TrajectoryController,
    TrajectoryRejected,
)

NAMES = ('a', 'b')
REST = np.zeros(2)
NAN = float('nan')


def controller_at(q: tuple[float, float] = (0.0, 0.0), now_s: float = 0.0) -> TrajectoryController:
    controller = TrajectoryController(NAMES)
    controller.hold(np.array(q), now_s)
    return controller


def accept(controller: TrajectoryController, *points: Point, now_s: float = 0.0,
           stamp_s: float = 0.0, names: tuple[str, ...] = NAMES) -> None:
    controller.accept(Trajectory(names, points, stamp_s), now_s, REST, REST)


def test_holds_where_it_is_told() -> None:
    q, dq = controller_at((1.0, 2.0)).sample(5.0)
    np.testing.assert_array_equal(q, [1.0, 2.0])
    np.testing.assert_array_equal(dq, REST)


def test_nothing_to_follow_is_an_error() -> None:
    with pytest.raises(RuntimeError, match='hold'):
        TrajectoryController(NAMES).sample(0.0)


def test_positions_only_give_straight_lines() -> None:
    controller = controller_at()
    accept(controller, Point([1.0, 2.0], None, None, 1.0), Point([3.0, 2.0], None, None, 2.0))
    q, dq = controller.sample(0.25)
    np.testing.assert_allclose(q, [0.25, 0.5])
    np.testing.assert_allclose(dq, [1.0, 2.0])
    q, dq = controller.sample(1.5)
    np.testing.assert_allclose(q, [2.0, 2.0])
    np.testing.assert_allclose(dq, [2.0, 0.0])


@pytest.mark.parametrize('accelerations', [None, [0.0, 0.0]], ids=['cubic', 'quintic'])
def test_splines_pass_through_points_with_their_velocities(
    accelerations: list[float] | None,
) -> None:
    controller = controller_at()
    accept(controller, Point([1.0, -1.0], [0.5, 0.2], accelerations, 1.0),
           Point([2.0, 0.0], [0.0, 0.0], accelerations, 2.5))
    q, dq = controller.sample(1.0)
    np.testing.assert_allclose(q, [1.0, -1.0], atol=1e-12)
    np.testing.assert_allclose(dq, [0.5, 0.2], atol=1e-12)
    before, after = controller.sample(1.0 - 1e-9), controller.sample(1.0 + 1e-9)
    np.testing.assert_allclose(before[1], after[1], atol=1e-6)


@pytest.mark.parametrize(('time_s', 'expected'), [(0.5, 0.5), (0.25, 0.15625)])
def test_cubic_from_rest_to_rest(time_s: float, expected: float) -> None:
    controller = controller_at()
    accept(controller, Point([1.0, 0.0], [0.0, 0.0], None, 1.0))
    assert controller.sample(time_s)[0][0] == pytest.approx(expected)


@pytest.mark.parametrize(('time_s', 'expected'), [(0.5, 0.5), (0.25, 0.103515625)])
def test_quintic_from_rest_to_rest(time_s: float, expected: float) -> None:
    controller = controller_at()
    accept(controller, Point([1.0, 0.0], [0.0, 0.0], [0.0, 0.0], 1.0))
    assert controller.sample(time_s)[0][0] == pytest.approx(expected)


def test_velocity_is_the_derivative_of_position() -> None:
    controller = controller_at((0.3, -0.2))
    accept(controller, Point([1.0, 0.5], [0.7, -0.4], [0.1, 0.2], 0.8),
           Point([1.3, 0.1], [0.0, 0.0], [0.0, 0.0], 1.4))
    for time_s in (0.1, 0.5, 0.9, 1.3):
        (low, _), (high, _) = controller.sample(time_s - 1e-6), controller.sample(time_s + 1e-6)
        np.testing.assert_allclose(controller.sample(time_s)[1], (high - low) / 2e-6, atol=1e-6)


def test_rests_at_the_last_point() -> None:
    controller = controller_at()
    accept(controller, Point([1.0, 2.0], None, None, 0.5))
    q, dq = controller.sample(3.0)
    np.testing.assert_array_equal(q, [1.0, 2.0])
    np.testing.assert_array_equal(dq, REST)
    assert controller.end_s == 0.5


def test_first_point_at_zero_is_taken_at_once() -> None:
    controller = controller_at()
    accept(controller, Point([1.0, 1.0], None, None, 0.0), Point([2.0, 2.0], None, None, 1.0))
    np.testing.assert_allclose(controller.sample(0.0)[0], [1.0, 1.0])
    np.testing.assert_allclose(controller.sample(0.5)[0], [1.5, 1.5])


def test_joint_order_is_that_of_the_message() -> None:
    controller = controller_at()
    accept(controller, Point([2.0, 1.0], None, None, 1.0), names=('b', 'a'))
    np.testing.assert_allclose(controller.sample(1.0)[0], [1.0, 2.0])


def test_future_stamp_bridges_to_the_first_point() -> None:
    controller = controller_at()
    accept(controller, Point([1.0, 0.0], None, None, 1.0), now_s=2.0, stamp_s=3.0)
    assert controller.sample(2.0)[0][0] == pytest.approx(0.0)
    assert controller.sample(3.0)[0][0] == pytest.approx(0.5)
    assert controller.sample(4.0)[0][0] == pytest.approx(1.0)


def test_stamp_in_the_past_joins_a_trajectory_under_way() -> None:
    controller = controller_at()
    accept(controller, Point([1.0, 0.0], None, None, 1.0), Point([2.0, 0.0], None, None, 2.0),
           now_s=11.5, stamp_s=10.0)
    assert controller.sample(11.5)[0][0] == pytest.approx(1.5)


def test_new_trajectory_replaces_the_old_from_the_commanded_state() -> None:
    controller = controller_at()
    accept(controller, Point([1.0, 0.0], [0.0, 0.0], None, 1.0))
    q, dq = controller.sample(0.5)
    # The measured state is far off on purpose.
    controller.accept(Trajectory(NAMES, [Point([0.0, 0.0], [0.0, 0.0], None, 1.0)]), 0.5,
                      np.full(2, 9.0), np.full(2, 9.0))
    np.testing.assert_allclose(controller.sample(0.5)[0], q)
    np.testing.assert_allclose(controller.sample(0.5)[1], dq)
    np.testing.assert_allclose(controller.sample(1.5)[0], REST, atol=1e-12)


def test_can_start_from_the_measured_state() -> None:
    controller = TrajectoryController(NAMES, interpolate_from_desired_state=False)
    controller.hold(REST, 0.0)
    controller.accept(Trajectory(NAMES, [Point([1.0, 1.0], None, None, 1.0)]), 0.0,
                      np.array([0.5, 0.5]), REST)
    np.testing.assert_allclose(controller.sample(0.0)[0], [0.5, 0.5])


GOOD = Point([1.0, 1.0], [0.0, 0.0], None, 1.0)
BAD = {
    'no joints': ((), [GOOD], 0.0, INVALID_JOINTS),
    'missing joint': (('a',), [Point([1.0], None, None, 1.0)], 0.0, INVALID_JOINTS),
    'foreign joint': (('a', 'c'), [GOOD], 0.0, INVALID_JOINTS),
    'joint twice': (('a', 'a'), [GOOD], 0.0, INVALID_JOINTS),
    'extra joint': (('a', 'b', 'c'), [Point([1.0] * 3, None, None, 1.0)], 0.0, INVALID_JOINTS),
    'no points': (NAMES, [], 0.0, INVALID_GOAL),
    'no positions': (NAMES, [Point([], [0.0, 0.0], None, 1.0)], 0.0, INVALID_GOAL),
    'short positions': (NAMES, [Point([1.0], None, None, 1.0)], 0.0, INVALID_GOAL),
    'short velocities': (NAMES, [Point([1.0, 1.0], [0.0], None, 1.0)], 0.0, INVALID_GOAL),
    'long accelerations': (NAMES, [Point([1.0, 1.0], [0.0, 0.0], [0.0] * 3, 1.0)], 0.0,
                           INVALID_GOAL),
    'equal times': (NAMES, [GOOD, GOOD], 0.0, INVALID_GOAL),
    'falling times': (NAMES, [GOOD, Point([1.0, 1.0], [0.0, 0.0], None, 0.5)], 0.0, INVALID_GOAL),
    'negative time': (NAMES, [Point([1.0, 1.0], None, None, -1.0)], 0.0, INVALID_GOAL),
    'moving at the end': (NAMES, [Point([1.0, 1.0], [0.0, 0.1], None, 1.0)], 0.0, INVALID_GOAL),
    'nan position': (NAMES, [Point([NAN, 1.0], None, None, 1.0)], 0.0, INVALID_GOAL),
    'nan velocity': (NAMES, [Point([1.0, 1.0], [NAN, 0.0], None, 1.0)], 0.0, INVALID_GOAL),
    'infinite time': (NAMES, [Point([1.0, 1.0], None, None, float('inf'))], 0.0, INVALID_GOAL),
    'over already': (NAMES, [GOOD], 5.0, OLD_HEADER_TIMESTAMP),
}


@pytest.mark.parametrize(('names', 'points', 'stamp_s', 'code'), BAD.values(), ids=BAD.keys())
def test_refuses_and_goes_on_as_before(
    names: tuple[str, ...], points: list[Point], stamp_s: float, code: int,
) -> None:
    controller = controller_at((0.1, 0.2))
    accept(controller, Point([2.0, 2.0], None, None, 20.0))
    expected = controller.sample(10.0)[0]
    with pytest.raises(TrajectoryRejected) as refused:
        accept(controller, *points, now_s=10.0, stamp_s=stamp_s, names=names)
    assert refused.value.code == code
    assert refused.value.message
    np.testing.assert_array_equal(controller.sample(10.0)[0], expected)


def test_velocity_below_float_precision_counts_as_rest() -> None:
    controller = controller_at()
    accept(controller, Point([1.0, 1.0], [1e-8, 0.0], None, 1.0))
    np.testing.assert_allclose(controller.sample(1.0)[0], [1.0, 1.0])


def test_snapshot_brings_a_trajectory_back() -> None:
    controller = controller_at()
    accept(controller, Point([1.0, 2.0], [0.0, 0.0], None, 1.0))
    snapshot, expected = controller.snapshot(), controller.sample(0.7)[0]
    accept(controller, Point([-5.0, 0.0], None, None, 0.1), now_s=0.3)
    controller.restore(snapshot)
    np.testing.assert_array_equal(controller.sample(0.7)[0], expected)
