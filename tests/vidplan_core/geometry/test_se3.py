# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vidplan_core.geometry.se3 import (
    euler_xyz_to_matrix,
    hat,
    matrix_to_euler_xyz,
    matrix_to_quaternion,
    quaternion_to_matrix,
    so3_exp,
    so3_log,
)

directions = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 1e-3)


def rotation_vector(direction: tuple[float, ...], angle: float) -> torch.Tensor:
    return torch.tensor(np.asarray(direction) / np.linalg.norm(direction) * angle)


@given(directions, st.floats(0, math.pi - 1e-6))
def test_log_inverts_exp(direction: tuple[float, ...], angle: float) -> None:
    vector = rotation_vector(direction, angle)
    torch.testing.assert_close(so3_log(so3_exp(vector)), vector, atol=1e-8, rtol=0)


@given(directions, st.floats(0, 3.1))
def test_agrees_with_scipy(direction: tuple[float, ...], angle: float) -> None:
    vector = rotation_vector(direction, angle)
    oracle = Rotation.from_rotvec(vector.numpy())
    rotation = so3_exp(vector)
    np.testing.assert_allclose(rotation.numpy(), oracle.as_matrix(), atol=1e-12)
    quaternion = matrix_to_quaternion(rotation).numpy()
    # Both signs of a quaternion are one rotation.
    assert abs(quaternion @ oracle.as_quat()) == pytest.approx(1, abs=1e-12)
    euler = matrix_to_euler_xyz(rotation)
    again = euler_xyz_to_matrix(euler).numpy()
    np.testing.assert_allclose(again, oracle.as_matrix(), atol=1e-9)


@given(directions, st.floats(0, 3.14))
def test_quaternion_round_trip(direction: tuple[float, ...], angle: float) -> None:
    rotation = so3_exp(rotation_vector(direction, angle))
    again = quaternion_to_matrix(matrix_to_quaternion(rotation))
    torch.testing.assert_close(again, rotation, atol=1e-12, rtol=0)


@pytest.mark.parametrize('size', [0.0, 1e-9, 1e-4, 0.0999, 0.1, 0.1001, 1.0, 3.0])
def test_gradients_are_those_of_finite_differences(size: float) -> None:
    vector = rotation_vector((0.3, -0.5, 0.8), size).requires_grad_()
    assert torch.autograd.gradcheck(so3_exp, (vector,))
    assert torch.autograd.gradcheck(lambda v: so3_log(so3_exp(v)), (vector,))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize(
    'rotation',
    [
        torch.eye(3),
        torch.diag(torch.tensor([1.0, -1.0, -1.0])),
        torch.diag(torch.tensor([-1.0, 1.0, -1.0])),
        torch.diag(torch.tensor([-1.0, -1.0, 1.0])),
        torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]),
    ],
    ids=['identity', 'half_turn_x', 'half_turn_y', 'half_turn_z', 'gimbal_lock'],
)
def test_gradients_are_finite_at_special_rotations(
    rotation: torch.Tensor, dtype: torch.dtype
) -> None:
    matrix = rotation.to(dtype).requires_grad_()
    for function in (so3_log, matrix_to_quaternion, matrix_to_euler_xyz):
        values = function(matrix)
        (gradient,) = torch.autograd.grad(values.sum(), matrix)
        assert values.isfinite().all()
        assert gradient.isfinite().all(), function.__name__


def test_log_is_accurate_in_single_precision() -> None:
    vectors = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
    vectors = vectors / vectors.norm(dim=-1, keepdim=True) * torch.linspace(0, 3.1, 500)[:, None]
    torch.testing.assert_close(so3_log(so3_exp(vectors)), vectors, atol=2e-6, rtol=0)


def test_hat_is_the_cross_product() -> None:
    a, b = torch.tensor([1.0, 2, 3]), torch.tensor([-2.0, 0.5, 4])
    torch.testing.assert_close(hat(a) @ b, torch.linalg.cross(a, b))
