# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import mujoco
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidplan_core.errors import IkError
from vidplan_core.geometry.elbow import elbow_drift
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.ik import IkSolver, arm_mjcf
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.se3 import so3_exp

ROBOT = default_robot()
FR3, HOME_Q = ROBOT.limits, ROBOT.home

# The arm in the middle of its workspace, gripper down.
START = np.array([0.0, -0.2, 0.0, -2.4, 0.0, 2.2, 0.785])
PERIOD_S = 0.2

solver = IkSolver()
# As far as no joint's speed stops it within one chunk.
offsets = st.tuples(*[st.floats(-0.08, 0.08)] * 3)
turns = st.tuples(*[st.floats(-0.15, 0.15)] * 3)


def fk(q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    position, rotation = flange_pose(torch.from_numpy(np.asarray(q, np.float64)))
    return position.numpy(), rotation.numpy()


def smooth_chunk(offset: tuple[float, ...], turn: tuple[float, ...]) -> tuple:
    position, rotation = fk(START)
    part = np.arange(1, 5) / 4
    shape = (part * part * (3 - 2 * part))[:, None]
    rotations = so3_exp(torch.from_numpy(shape * np.array(turn))).numpy() @ rotation
    return position + shape * np.array(offset), rotations


def test_model_is_the_arm_of_the_forward_kinematics() -> None:
    model = mujoco.MjModel.from_xml_string(arm_mjcf(ROBOT.chain))
    data = mujoco.MjData(model)
    for q in np.random.default_rng(0).uniform(FR3.lower, FR3.upper, (20, 7)):
        data.qpos[:] = q
        mujoco.mj_kinematics(model, data)
        position, rotation = fk(q)
        np.testing.assert_allclose(data.site('flange').xpos, position, atol=1e-12)
        np.testing.assert_allclose(data.site('flange').xmat.reshape(3, 3), rotation, atol=1e-12)


@given(offsets, turns)
def test_reaches_poses_within_limits(offset: tuple[float, ...], turn: tuple[float, ...]) -> None:
    positions, rotations = smooth_chunk(offset, turn)
    angles = solver.track(START, positions, rotations, PERIOD_S)
    assert FR3.violation(angles) is None
    steps = np.diff(np.vstack((START, angles)), axis=0)
    assert (np.abs(steps) <= FR3.velocity * PERIOD_S + 1e-9).all()
    reached, turned = fk(angles)
    np.testing.assert_allclose(reached, positions, atol=1e-3)
    np.testing.assert_allclose(turned, rotations, atol=5e-3)


def test_ordinary_steps_are_accurate() -> None:
    positions, rotations = smooth_chunk((0.05, -0.05, -0.08), (0.0, 0.0, 0.1))
    reached, turned = fk(solver.track(START, positions, rotations, PERIOD_S))
    np.testing.assert_allclose(reached, positions, atol=1e-4)
    np.testing.assert_allclose(turned, rotations, atol=5e-4)


def test_a_free_elbow_stays() -> None:
    """A pose takes no more of the joints than it needs, wherever the elbow is."""
    turned = START + np.array([0.3, 0, -0.3, 0, 0, 0, 0])
    position, rotation = fk(turned)
    angles = solver.track(turned, position[None], rotation[None], PERIOD_S)
    np.testing.assert_allclose(angles[0], turned, atol=1e-6)


def test_elbow_drifts_where_it_is_asked_to() -> None:
    """The same pose again and again: the elbow nears home by what was asked, the flange stays."""
    turned = START + np.array([0.3, 0, -0.3, 0, 0, 0, 0])
    poses = tuple(np.stack([values] * 20) for values in fk(turned))
    times = PERIOD_S * np.arange(1, 21)
    drift = elbow_drift(ROBOT, turned, np.zeros(7), times, 0.15)
    angles = solver.track(turned, *poses, PERIOD_S, drift)
    near, far = (np.abs(q - HOME_Q)[[0, 2]].sum() for q in (angles[-1], turned))
    assert near < far - 0.1
    assert np.abs(np.diff(angles, axis=0)).max() < 0.16 * PERIOD_S
    np.testing.assert_allclose(fk(angles[-1])[0], poses[0][0], atol=2e-4)


@pytest.mark.parametrize(
    ('offset', 'index'),
    [((1.0, 0, 0), 0), ((0, 0, 2.0), 0)],
    ids=['beyond_the_arm', 'too_fast_and_far'],
)
def test_unreachable_pose_is_named(offset: tuple[float, ...], index: int) -> None:
    position, rotation = fk(START)
    positions = np.stack((position + offset, position))
    with pytest.raises(IkError, match=f'pose {index}') as caught:
        solver.track(START, positions, np.stack((rotation, rotation)), PERIOD_S)
    assert caught.value.index == index
    assert caught.value.error_m > 0.1


def test_later_pose_is_named() -> None:
    position, rotation = fk(START)
    positions = np.stack((position, position, position + [0.6, 0, 0]))
    with pytest.raises(IkError) as caught:
        solver.track(START, positions, np.tile(rotation, (3, 1, 1)), PERIOD_S)
    assert caught.value.index == 2


def test_start_outside_the_limits_may_stay() -> None:
    outside = START.copy()
    outside[3] = FR3.lower[3] - 0.05
    position, rotation = fk(outside)
    angles = solver.track(outside, position[None], rotation[None], PERIOD_S)
    assert angles[0, 3] >= outside[3] - 1e-9


def test_equal_inputs_give_equal_angles() -> None:
    chunk = smooth_chunk((0.05, 0.05, 0.0), (0.1, 0, 0))
    first = solver.track(START, *chunk, PERIOD_S)
    solver.track(np.array(HOME_Q), *(values[None] for values in fk(np.array(HOME_Q))), PERIOD_S)
    np.testing.assert_array_equal(solver.track(START, *chunk, PERIOD_S), first)


def test_refuses_shapes_and_nan() -> None:
    position, rotation = fk(START)
    with pytest.raises(ValueError, match='need q0'):
        solver.track(START, position, rotation, PERIOD_S)
    with pytest.raises(ValueError, match='finite'):
        solver.track(START, position[None] * np.nan, rotation[None], PERIOD_S)
