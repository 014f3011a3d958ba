# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vidplan_core.control.arm import (
    NAMES,
    START_Q,
    changed,
    plan_from,
    ready,
)
from vidplan_core.control import rejection
from vidplan_core.control.commands import PlanCommand, TrajectoryCommand, TrajectoryPoint
from vidplan_core.control.safety import CommandChecker
from vidplan_core.errors import CommandRejectedError
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.trajectory import joint_trajectory

LIMITS = default_robot().limits
checker = CommandChecker()
REST = np.zeros(7)


def good_plan() -> PlanCommand:
    adapter, _ = ready()
    return plan_from(adapter, 0.0, (0.05, 0.0, -0.05))


GOOD = good_plan()


def with_entry(name: str, index: tuple, value: float) -> dict:
    values = np.array(getattr(GOOD, name))
    values[index] = value
    return {name: values}


def reason_of(check, *args: object) -> tuple[str, str]:  # noqa: ANN001
    with pytest.raises(CommandRejectedError) as caught:
        check(*args)
    return caught.value.reason, str(caught.value)


def test_good_plan_passes() -> None:
    checker.check_plan(GOOD, 0.0)


@pytest.mark.parametrize(
    ('change', 'reason', 'said'),
    [
        (
            with_entry('positions', (2, 1), np.nan),
            'NONFINITE',
            'positions must be finite, got nan',
        ),
        (with_entry('quaternions', (0, 3), np.inf), 'NONFINITE', 'got inf at [0, 3]'),
        (with_entry('closedness', (4,), -np.inf), 'NONFINITE', 'closedness must be finite'),
        ({'start_s': np.nan}, 'NONFINITE', 'stamp, start and period'),
        (with_entry('positions', (1, 0), 1e300), 'WORKSPACE', 'the tool at frame 1 has x'),
        (with_entry('positions', (3, 2), 0.05), 'WORKSPACE', 'frame 3 has z = -0.05'),
        (with_entry('positions', (3, 1), 0.3), 'SPEED', 'the flange moves at'),
        (with_entry('quaternions', (1, 0), 1e300), 'INVALID', 'length 1'),
        ({'quaternions': 0 * GOOD.quaternions}, 'INVALID', 'must have length 1, got 0.0000'),
        (with_entry('closedness', (2,), 1.5), 'INVALID', 'closedness must be in 0 .. 1'),
        ({'period_s': 0.0}, 'INVALID', 'period_s must be in'),
        ({'period_s': 60.0}, 'INVALID', 'period_s must be in'),
        ({'positions': GOOD.positions[:3]}, 'WRONG_SIZE', 'got (3, 3), (5, 4) and (5,)'),
        ({'positions': GOOD.positions[:, :2]}, 'WRONG_SIZE', '(5, 2)'),
        ({'positions': np.float64(1.0)}, 'WRONG_SIZE', 'got ()'),
        ({'stamp_s': -2.0}, 'STALE', 'an observation 2.000 s old, allowed 1.500 s'),
        ({'stamp_s': 1.0}, 'FUTURE', 'stamped 1.000 s ahead'),
        ({'start_s': -0.2}, 'STALE', 'came 0.200 s after its start'),
        ({'start_s': -50.0}, 'STALE', 'came 50.000 s after its start'),
        ({'start_s': 3.0}, 'FUTURE', 'begins in 3.000 s, allowed 2.000 s'),
    ],
)
def test_bad_plan_has_a_reason_and_a_message(change: dict, reason: str, said: str) -> None:
    assert reason == getattr(rejection, reason)
    found, message = reason_of(checker.check_plan, changed(GOOD, **change), 0.0)
    assert found == reason
    assert said in message


@pytest.mark.parametrize('frames', [0, 1, 25])
def test_number_of_frames(frames: int) -> None:
    arrays = {
        name: np.resize(getattr(GOOD, name), (frames, *getattr(GOOD, name).shape[1:]))
        for name in ('positions', 'quaternions', 'closedness')
    }
    reason, message = reason_of(checker.check_plan, changed(GOOD, **arrays), 0.0)
    assert reason == rejection.WRONG_SIZE
    assert f'2 .. 24 frames, got {frames}' in message


@pytest.mark.fault('plan_fast')
def test_turning_too_fast() -> None:
    quaternions = GOOD.quaternions.copy()
    quaternions[2:] = [0.0, 0.0, 0.0, 1.0]
    positions = np.tile([0.5, 0.0, 0.3], (5, 1))
    plan = changed(GOOD, positions=positions, quaternions=quaternions)
    reason, message = reason_of(checker.check_plan, plan, 0.0)
    assert reason == rejection.SPEED
    assert 'turns at' in message


@given(
    st.sampled_from(['positions', 'quaternions', 'closedness']),
    st.integers(0, 4),
    st.sampled_from([np.nan, np.inf, -np.inf, 1e9, -1e9, 1e300, -1e300]),
)
@pytest.mark.fault('plan_absurd')
def test_no_absurd_number_passes(name: str, frame: int, value: float) -> None:
    column = () if name == 'closedness' else (frame % 3,)
    plan = changed(GOOD, **with_entry(name, (frame, *column), value))
    reason_of(checker.check_plan, plan, 0.0)


def good_command() -> TrajectoryCommand:
    path = joint_trajectory(np.linspace(START_Q, START_Q + 0.02, 4), REST, 0.2, LIMITS)
    return TrajectoryCommand.from_path(path, 0.0, NAMES, 1)


COMMAND = good_command()


def with_points(*changes: dict) -> TrajectoryCommand:
    points = list(COMMAND.points)
    for change in changes:
        index = change.pop('index')
        points[index] = replace(points[index], **change)
    return replace(COMMAND, points=tuple(points))


def test_good_trajectory_passes() -> None:
    checker.check_trajectory(COMMAND, START_Q, REST, REST)


@pytest.mark.parametrize(
    ('command', 'reason', 'said'),
    [
        (replace(COMMAND, joint_names=NAMES[::-1]), 'WRONG_JOINTS', "expected ['fr3_joint1'"),
        (replace(COMMAND, joint_names=NAMES[:6]), 'WRONG_JOINTS', 'got'),
        (replace(COMMAND, points=()), 'WRONG_SIZE', 'at least one point'),
        (with_points({'index': 1, 'q': START_Q[:6]}), 'WRONG_SIZE', 'got [(6,), (7,), (7,)]'),
        (with_points({'index': 1, 'q': START_Q * np.nan}), 'NONFINITE', 'points must be finite'),
        (with_points({'index': 1, 'dq': REST + np.inf}), 'NONFINITE', 'points must be finite'),
        (with_points({'index': 0, 'time_from_start_s': 0.0}), 'INVALID', 'must rise from above 0'),
        (with_points({'index': 1, 'time_from_start_s': 0.1}), 'INVALID', 'must rise'),
        (with_points({'index': 2, 'dq': REST + 1e-3}), 'NOT_AT_REST', 'must be zero'),
        (with_points({'index': 2, 'ddq': REST + 1e-3}), 'NOT_AT_REST', 'must be zero'),
        (with_points({'index': 1, 'ddq': REST + np.nan}), 'NONFINITE', 'points must be finite'),
        (with_points({'index': 1, 'q': START_Q + 0.5}), 'LIMIT', 'velocity of'),
        (with_points({'index': 1, 'q': START_Q + 9}), 'LIMIT', 'position of fr3_joint'),
        (with_points({'index': 1, 'time_from_start_s': 0.21}), 'LIMIT', 'acceleration of'),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_bad_trajectory_has_a_reason(command: TrajectoryCommand, reason: str, said: str) -> None:
    found, message = reason_of(checker.check_trajectory, command, START_Q, REST, REST)
    assert (found, said in message) == (reason, True), message


@pytest.mark.fault('plan_fast')
def test_first_point_far_from_the_arm_breaks_a_limit() -> None:
    """A controller would jump to a near first point: the way there is checked as well."""
    reason, _ = reason_of(checker.check_trajectory, COMMAND, START_Q - 0.4, REST, REST)
    assert reason == rejection.LIMIT


def test_between_good_points_the_tool_must_stay_in_the_box() -> None:
    """Every point lies above the table; the way between two of them dips into it."""
    low = START_Q + [0, 0.68, 0, 0, 0, 0.68, 0]
    down = np.array([0, 0.3, 0, 0, 0, 0.3, 0])
    above = low - 0.25 * down
    points = (
        TrajectoryPoint(0.5, low, down, REST),
        TrajectoryPoint(1.2, low, -down, REST),
        TrajectoryPoint(1.7, above, REST, REST),
    )
    for point in points:
        alone = TrajectoryCommand(1, 0.0, NAMES, (TrajectoryPoint(0.5, point.q, REST, REST),))
        checker.check_trajectory(alone, point.q, REST, REST)
    command = TrajectoryCommand(1, 0.0, NAMES, points)
    reason, message = reason_of(checker.check_trajectory, command, above, REST, REST)
    assert reason == rejection.WORKSPACE
    assert 'the tool at sample' in message
    assert 'z =' in message


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 3.0))
def test_whatever_passes_keeps_every_limit(seed: int, size: float) -> None:
    """The checker's promise, tested against independent dense sampling."""
    rng = np.random.default_rng(seed)
    points = tuple(
        TrajectoryPoint(
            0.2 * (k + 1),
            START_Q + 0.05 * size * rng.normal(size=7),
            last * size * rng.normal(size=7),
            last * size * rng.normal(size=7),
        )
        for k, last in enumerate((0.3, 0.3, 0.0))
    )
    command = TrajectoryCommand(1, 0.0, NAMES, points)
    times, hard = np.linspace(0, 0.6, 2401), checker.robot.hard_limits
    samples = [*command.path_from(START_Q, REST, REST).sample(times)]
    samples.append(np.diff(samples[2], axis=0) / times[1])
    # Bounds between points are up to a few percent wider than what happens there.
    well_inside = replace(
        hard, velocity=0.95 * hard.velocity, acceleration=0.95 * hard.acceleration
    )
    try:
        checker.check_trajectory(command, START_Q, REST, REST)
    except CommandRejectedError as error:
        within = well_inside.violation(*samples) is None
        assert not within or error.reason == rejection.WORKSPACE  # noqa: PT017
    else:
        assert hard.violation(*samples) is None


def test_start_and_tracking() -> None:
    rotation = np.eye(3)
    checker.check_start((np.zeros(3), rotation), ([0.02, 0, 0], rotation))
    reason, message = reason_of(
        checker.check_start, (np.zeros(3), rotation), ([0.05, 0, 0], rotation)
    )
    assert (reason, '0.050 m' in message) == (rejection.JUMP, True)
    turned = np.diag([1.0, -1, -1])
    assert reason_of(checker.check_start, (np.zeros(3), rotation), (np.zeros(3), turned))
    checker.check_tracking(START_Q, START_Q + 0.1)
    reason, message = reason_of(checker.check_tracking, START_Q, START_Q + 0.2)
    assert (reason, 'fr3_joint' in message) == (rejection.TRACKING, True)
    assert reason_of(checker.check_tracking, START_Q, START_Q * np.nan)
