# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from vidplan_core.geometry.se3 import so3_exp, so3_log
from vidplan_core.planner.motion.hermite import hermite_chunk

POSITION = torch.tensor([0.5, 0.1, 0.3], dtype=torch.float64)
ROTATION = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))
VELOCITY = torch.tensor([0.1, -0.05, 0.02], dtype=torch.float64)
PERIOD_S = 0.2


def make(displacement, turn, velocity=VELOCITY, frames=5):  # noqa: ANN001, ANN202
    return hermite_chunk(POSITION, ROTATION, velocity, displacement, turn, 0.3, frames, PERIOD_S)


def test_begins_with_the_present_and_ends_at_the_goal() -> None:
    displacement = torch.tensor([[0.1, 0, 0], [0, 0, -0.2]], dtype=torch.float64)
    turn = torch.tensor([[0, 0, 0.3], [0.1, 0, 0]], dtype=torch.float64)
    chunk = make(displacement, turn)
    assert chunk.position.shape == (2, 5, 3)
    torch.testing.assert_close(chunk.position[:, 0], POSITION.expand(2, 3))
    torch.testing.assert_close(chunk.rotation[:, 0], ROTATION.expand(2, 3, 3))
    torch.testing.assert_close(chunk.position[:, -1], POSITION + displacement)
    torch.testing.assert_close(chunk.rotation[:, -1], so3_exp(turn) @ ROTATION)
    assert (chunk.closedness == 0.3).all()


def test_begins_with_the_present_velocity_and_ends_at_rest() -> None:
    """Read off a chunk so fine that differences are velocities."""
    turn_rate = torch.tensor([0.0, 0.3, -0.2], dtype=torch.float64)
    frames = 4001
    period_s = 0.8 / (frames - 1)
    chunk = hermite_chunk(
        POSITION, ROTATION, VELOCITY, torch.tensor([[0.1, 0.0, -0.1]], dtype=torch.float64),
        torch.tensor([[0.0, 0.0, 0.4]], dtype=torch.float64), 0.0, frames, period_s, turn_rate,
    )  # fmt: skip
    velocity = chunk.position[0].diff(dim=0) / period_s
    torch.testing.assert_close(velocity[0], VELOCITY, atol=1e-3, rtol=0)
    torch.testing.assert_close(velocity[-1], torch.zeros_like(VELOCITY), atol=1e-3, rtol=0)
    rates = so3_log(chunk.rotation[0, 1:] @ chunk.rotation[0, :-1].mT) / period_s
    torch.testing.assert_close(rates[0], turn_rate, atol=1e-3, rtol=0)
    torch.testing.assert_close(rates[-1], torch.zeros_like(turn_rate), atol=1e-3, rtol=0)


def test_differentiable_in_goal_and_turn_even_at_zero() -> None:
    zero = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    turn = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)

    def flat(displacement, rotation_vector):  # noqa: ANN001, ANN202
        chunk = make(displacement, rotation_vector)
        return torch.cat((chunk.position.flatten(), chunk.rotation.flatten()))

    assert torch.autograd.gradcheck(flat, (zero, turn))


def test_closedness_per_frame() -> None:
    grip = torch.linspace(0, 1, 5)
    none = torch.zeros(3, 3, dtype=torch.float64)
    chunk = hermite_chunk(POSITION, ROTATION, VELOCITY, none, none, grip, 5, PERIOD_S)
    torch.testing.assert_close(chunk.closedness, grip.double().expand(3, 5))


def test_needs_two_frames() -> None:
    none = torch.zeros(1, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match='at least 2 frames'):
        make(none, none, frames=1)
