# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from vidplan_core.geometry.fk import (
    arm_frames,
    flange_pose,
    jacobian,
    joint_frames,
    pose_and_jacobian,
    tcp_position,
)
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.se3 import euler_xyz_to_matrix, so3_exp, so3_log

ROBOT = default_robot()
FR3 = ROBOT.limits
DROID = Path(__file__).resolve().parents[4] / 'shared' / 'data' / 'droid' / 'annotation'


def random_angles(count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(FR3.lower, FR3.upper, (count, 7)))


@pytest.mark.skipif(not DROID.is_dir(), reason='the DROID sample is not beside the repository')
def test_reproduces_the_droid_sample() -> None:
    """Flange in the base frame, extrinsic xyz Euler: the convention of the full-size model."""
    files = sorted(DROID.glob('*/*.json'))
    assert files
    for file in files:
        record = json.loads(file.read_text())
        angles = torch.tensor(record['observation.state.joint_position'], dtype=torch.float64)
        poses = torch.tensor(record['observation.state.cartesian_position'], dtype=torch.float64)
        position, rotation = flange_pose(angles)
        torch.testing.assert_close(position, poses[:, :3], atol=1e-4, rtol=0)
        error = so3_log(euler_xyz_to_matrix(poses[:, 3:]).mT @ rotation)
        assert error.norm(dim=-1).max() < 1e-4, file.name


def test_agrees_with_frankik() -> None:
    """The oracle returns the tool centre point with the hand's turn of -45 degrees."""
    frankik = pytest.importorskip('frankik', reason='frankik, the oracle, is not installed')
    solver = frankik.FrankaKinematics(robot_type='fr3')
    hand = so3_exp(torch.tensor([0, 0, -math.pi / 4], dtype=torch.float64))
    for q in random_angles(50):
        expected = solver.forward(q.numpy())
        position, rotation = flange_pose(q)
        np.testing.assert_allclose(tcp_position(position, rotation), expected[:3, 3], atol=1e-9)
        np.testing.assert_allclose(rotation @ hand, expected[:3, :3], atol=1e-9)


def test_home_points_the_gripper_down() -> None:
    q = torch.tensor([0, -math.pi / 4, 0, -3 * math.pi / 4, 0, math.pi / 2, math.pi / 4])
    position, rotation = flange_pose(q.double())
    np.testing.assert_allclose(position, [0.3069, 0.0, 0.5903], atol=1e-4)
    np.testing.assert_allclose(rotation[:, 2], [0, 0, -1], atol=1e-6)
    np.testing.assert_allclose(
        tcp_position(position, rotation), [0.3069, 0.0, 0.5903 - ROBOT.tool.position[2]], atol=1e-4
    )


def test_jacobian_agrees_with_finite_differences() -> None:
    q, step = random_angles(20), 1e-6
    columns = []
    for joint in range(7):
        moved = torch.zeros(7, dtype=torch.float64)
        moved[joint] = step
        (p0, r0), (p1, r1) = flange_pose(q - moved), flange_pose(q + moved)
        columns.append(torch.cat((p1 - p0, so3_log(r1 @ r0.mT)), -1) / (2 * step))
    torch.testing.assert_close(jacobian(q), torch.stack(columns, -1), atol=1e-7, rtol=0)


def test_is_differentiable() -> None:
    q = random_angles(2).requires_grad_()
    assert torch.autograd.gradcheck(flange_pose, (q,))


def test_batches_and_single_vectors_agree() -> None:
    q = random_angles(6).reshape(2, 3, 7)
    position, rotation, columns = pose_and_jacobian(q)
    assert (position.shape, rotation.shape, columns.shape) == (
        (2, 3, 3),
        (2, 3, 3, 3),
        (2, 3, 6, 7),
    )
    single = pose_and_jacobian(q[1, 2])
    for batched, alone in zip((position, rotation, columns), single, strict=True):
        torch.testing.assert_close(batched[1, 2], alone)


def test_wrong_number_of_joints() -> None:
    with pytest.raises(ValueError, match='last dimension of 7'):
        flange_pose(torch.zeros(8))


def test_frames_by_numpy_are_the_same() -> None:
    q = random_angles(20)
    positions, rotations = arm_frames(default_robot(), q.numpy())
    expected = joint_frames(q)
    np.testing.assert_allclose(positions[:, 1:], expected[0], atol=1e-12)
    np.testing.assert_allclose(rotations[:, 1:], expected[1], atol=1e-12)
    np.testing.assert_array_equal(rotations[:, 0], np.tile(np.eye(3), (20, 1, 1)))
