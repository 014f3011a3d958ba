# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from vidplan_core.geometry.limits import JointLimits
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.workspace import COMMAND_BOX, PLANNING_BOX, WorkspaceBox

ROBOT = default_robot()
FR3, FR3_HARD, HOME_Q = ROBOT.limits, ROBOT.hard_limits, ROBOT.home


def test_planning_stays_inside_what_the_robot_allows() -> None:
    assert (FR3.lower > FR3_HARD.lower).all()
    assert (FR3.upper < FR3_HARD.upper).all()
    assert (FR3.velocity < FR3_HARD.velocity).all()
    assert (FR3.acceleration <= FR3_HARD.acceleration).all()
    assert FR3.violation(HOME_Q) is None


@pytest.mark.parametrize(
    ('values', 'said'),
    [
        ({'q': {3: 0.0}}, 'position of fr3_joint4 is 0.0000 rad, allowed -3.0421 .. -0.1518'),
        ({'q': {1: np.nan}}, 'position of fr3_joint2 is nan'),
        ({'dq': {4: -6.0}}, 'velocity of fr3_joint5 is -6.0000 rad/s'),
        ({'ddq': {6: 11.0}}, 'acceleration of fr3_joint7 is 11.0000 rad/s^2'),
        ({'dq': {0: np.inf}}, 'velocity of fr3_joint1 is inf'),
    ],
)
def test_violation_names_joint_value_and_range(values: dict, said: str) -> None:
    vectors = {'q': np.array(HOME_Q), 'dq': np.zeros(7), 'ddq': np.zeros(7)}
    assert FR3_HARD.violation(**vectors) is None
    for name, entries in values.items():
        for joint, value in entries.items():
            vectors[name][joint] = value
    assert said in (FR3_HARD.violation(**vectors) or '')


def test_velocity_falls_towards_the_end_of_a_joint() -> None:
    """Numbers by hand from the formula of Franka's documentation, joint 4."""
    near = np.array(HOME_Q)
    near[3] = FR3_HARD.lower[3] + 0.1
    slowest, fastest = FR3_HARD.velocity_range(near)
    assert slowest[3] == pytest.approx(-(np.sqrt(2 * 4.0 * 0.1) - 0.3533))
    assert fastest[3] == pytest.approx(2.62)
    down = np.zeros(7)
    down[3] = -1.0
    assert 'velocity of fr3_joint4' in (FR3_HARD.violation(near, down) or '')
    assert FR3_HARD.violation(near, -down) is None


@pytest.mark.parametrize(
    'change',
    [
        {'lower': np.zeros(6)},
        {'upper': FR3.lower},
        {'velocity': -FR3.velocity},
        {'braking': FR3.upper},
    ],
    ids=['size', 'order', 'sign', 'half_a_pair'],
)
def test_senseless_limits_are_refused(change: dict) -> None:
    fields = ('lower', 'upper', 'velocity', 'acceleration')
    values = {name: getattr(FR3, name) for name in fields} | change
    with pytest.raises(ValueError):
        JointLimits(FR3.names, **values)


def test_arrays_are_read_only() -> None:
    with pytest.raises(ValueError):
        FR3.lower[0] = 0.0


def test_box_names_axis_and_range() -> None:
    assert COMMAND_BOX.violation([[0.5, 0.0, 0.2]], 'the tool at frame') is None
    points = [[0.5, 0.0, 0.2], [0.5, 0.9, 0.2]]
    said = COMMAND_BOX.violation(points, 'the tool at frame')
    assert said == 'the tool at frame 1 has y = 0.9000 m, allowed -0.4000 .. 0.4000'
    assert COMMAND_BOX.violation([[np.nan, 0, 0.2]], 'the tool at frame') is not None


def test_plans_stay_inside_the_box_of_commands() -> None:
    for face in (PLANNING_BOX.lower, PLANNING_BOX.upper):
        assert COMMAND_BOX.violation([face], 'corner') is None
    with pytest.raises(ValueError, match='three lower below three upper'):
        WorkspaceBox((0.0, 0.0, 0.0), (1.0, 1.0, 0.0))
