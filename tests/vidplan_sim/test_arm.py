# SPDX-License-Identifier: Apache-2.0
"""The arm's own kinematics agree with the simulated robot's."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from vidplan_sim.arm import kinematics as arm
from vidplan_sim.world import build_model


@pytest.fixture(scope='module')
def robot() -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = build_model()
    return model, mujoco.MjData(model)


def random_q(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(arm.Q_LOWER, arm.Q_UPPER)


@pytest.mark.parametrize('seed', range(5))
def test_forward_is_mujocos(robot: tuple[mujoco.MjModel, mujoco.MjData], seed: int) -> None:
    model, data = robot
    data.qpos[:7] = random_q(seed)
    mujoco.mj_forward(model, data)
    position, rotation, jacobian = arm.forward(data.qpos[:7])
    site = data.site('flange')
    np.testing.assert_allclose(position, site.xpos, atol=1e-6)
    np.testing.assert_allclose(rotation, site.xmat.reshape(3, 3), atol=1e-6)
    expected = np.zeros((6, model.nv))
    mujoco.mj_jacSite(model, data, expected[:3], expected[3:], site.id)
    np.testing.assert_allclose(jacobian, expected[:, :7], atol=1e-5)
    tcp = data.site('tcp').xpos
    np.testing.assert_allclose(arm.tcp_to_flange(tcp, rotation), position, atol=1e-6)


@pytest.mark.parametrize('tcp', [(0.4, -0.17, 0.14), (0.6, 0.17, 0.25), (0.5, 0.0, 0.02)])
@pytest.mark.parametrize('yaw', [-1.4, 0.0, 1.4])
def test_ik_reaches_the_pose_inside_the_limits(tcp: tuple[float, ...], yaw: float) -> None:
    rotation = arm.down_rotation(yaw)
    target = arm.tcp_to_flange(np.array(tcp), rotation)
    q = arm.solve_ik(target, rotation, arm.Q_READY)
    position, turn, _ = arm.forward(q)
    np.testing.assert_allclose(position, target, atol=1e-4)
    np.testing.assert_allclose(turn, rotation, atol=1e-3)
    assert np.all(q >= arm.Q_LOWER)
    assert np.all(q <= arm.Q_UPPER)


def test_ik_names_what_it_cannot_reach() -> None:
    with pytest.raises(arm.UnreachablePose, match='mm'):
        arm.solve_ik(np.array([2.0, 0.0, 0.5]), arm.down_rotation(0.0), arm.Q_READY)


def test_down_rotation_points_the_fingers_down() -> None:
    np.testing.assert_allclose(arm.down_rotation(0.3)[:, 2], [0.0, 0.0, -1.0], atol=1e-12)
    assert np.linalg.det(arm.down_rotation(0.3)) == pytest.approx(1.0)


@pytest.mark.parametrize('vector', [(0.0, 0.0, 0.0), (0.1, -0.2, 0.3), (0.0, 2.5, 0.0),
                                    (np.pi, 0.0, 0.0)])
def test_rotation_vector_inverts_the_exponential(vector: tuple[float, ...]) -> None:
    angle = float(np.linalg.norm(vector))
    quat, matrix = np.empty(4), np.empty(9)
    axis = np.array(vector) / angle if angle else np.array([1.0, 0.0, 0.0])
    mujoco.mju_axisAngle2Quat(quat, axis, angle)
    mujoco.mju_quat2Mat(matrix, quat)
    np.testing.assert_allclose(arm.rotation_vector(matrix.reshape(3, 3)), vector, atol=1e-7)
