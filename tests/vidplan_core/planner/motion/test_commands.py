# SPDX-License-Identifier: Apache-2.0
"""Joint velocities of any number and rate to joint angles at the frames, within limits."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.vidplan_core.planner.motion_start import READY
from vidplan_core.errors import ConfigError, ModelError
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.planner.motion.commands import CommandFollower, find_adapter
from vidplan_core.world_model.dynamics_adapter import (
    DynamicsAdapter,
    DynamicsAdapterConfig,
    save_dynamics_adapter,
)

ROBOT = default_robot()


def follower(rate_hz: float = 15.0, unit_rad_s: float = 0.8, **changes) -> CommandFollower:
    return CommandFollower(ROBOT, rate_hz, unit_rad_s, 5, 0.2, **changes)


def constant(value: float, steps: int = 15, joint: int = 0) -> torch.Tensor:
    commands = torch.zeros(1, steps, 7)
    commands[..., joint] = value
    return commands


def test_the_arm_goes_as_fast_as_it_is_told_and_comes_to_rest() -> None:
    found = follower().angles(READY, constant(0.5))
    moved = (found - READY)[0, :, 0]
    # Half of the last step is taken away by slowing to rest.
    torch.testing.assert_close(moved, 0.4 * torch.tensor([0.0, 0.2, 0.4, 0.6, 0.7]))
    torch.testing.assert_close(found[..., 1:], READY[1:].expand(1, 5, 6))


def test_what_is_not_commanded_is_standing_still() -> None:
    moved = (follower().angles(READY, constant(0.5, steps=6)) - READY)[0, :, 0]
    torch.testing.assert_close(moved, 0.4 * torch.tensor([0.0, 0.2, 0.3, 0.3, 0.3]))


@pytest.mark.parametrize('steps', [1, 8, 10, 15, 16, 60])
@pytest.mark.parametrize('rate_hz', [5.0, 15.0, 30.0, 50.0])
def test_any_horizon_and_rate(steps: int, rate_hz: float) -> None:
    """By the integral of what is commanded, a step function of time that slows in the end."""
    draw = np.random.default_rng(steps)
    commands = torch.from_numpy(draw.uniform(-0.3, 0.3, (2, steps, 7))).float()
    found = follower(rate_hz).angles(READY, commands) - READY
    fine = np.linspace(0.0, 0.8, 80_001)[:-1] + 0.5e-5
    at = (fine * rate_hz).astype(int)
    speed = np.where((at < steps)[:, None], commands[1].numpy()[np.minimum(at, steps - 1)], 0.0)
    end_s = min(0.8, steps / rate_hz)
    speed = 0.8 * speed * np.clip((end_s - fine) / 0.2, 0.0, 1.0)[:, None]
    angles = np.concatenate([np.zeros((1, 7)), speed.cumsum(0) * 1e-5])[:: 20_000]
    np.testing.assert_allclose(found[1].numpy(), angles, atol=0.25 * 0.3 * 0.8 / rate_hz)


@given(st.integers(0, 10_000), st.floats(0.1, 10.0))
def test_no_limit_is_exceeded(seed: int, unit_rad_s: float) -> None:
    draw = torch.Generator().manual_seed(seed)
    commands = 3.0 * torch.randn(3, 15, 7, generator=draw)
    found = follower(unit_rad_s=unit_rad_s).angles(READY, commands)
    limits = ROBOT.limits
    speed = found.diff(dim=1).abs() / 0.2
    assert (speed <= torch.tensor(limits.velocity).float() + 1e-4).all()
    assert (found >= torch.tensor(limits.lower).float() - 1e-5).all()
    assert (found <= torch.tensor(limits.upper).float() + 1e-5).all()


def test_a_fast_command_keeps_its_direction() -> None:
    commands = torch.zeros(1, 15, 7)
    commands[..., 0], commands[..., 6] = 1.0, 0.5
    moved = (follower(unit_rad_s=9.0).angles(READY, commands) - READY)[0, 1]
    assert float(moved[6] / moved[0]) == pytest.approx(0.5, abs=1e-5)
    assert float(moved[0]) == pytest.approx(0.2 * ROBOT.limits.velocity[0], abs=1e-5)


def test_the_gripper_opens_and_closes_wholly_when_it_is_told() -> None:
    commanded = torch.tensor([[0.1, 0.2, 0.49, 0.51, 0.8, 0.9, 0.4]])
    assert follower().closedness(commanded).tolist() == [[0.0, 1.0, 0.0, 0.0, 0.0]]
    assert follower().closedness(torch.tensor([[0.7]])).tolist() == [[1.0] * 5]


def linear_adapter(gain: float, steps: int = 15, rate_hz: float = 15.0) -> DynamicsAdapter:
    """One that moves every joint by gain times the command for as long as it was commanded."""
    ends = tuple([-1.0] * 7), tuple([1.0] * 7)
    config = DynamicsAdapterConfig(steps, rate_hz, 8, *ends, *ends)
    adapter = DynamicsAdapter(config).requires_grad_(False)

    def forward(q: torch.Tensor, commands: torch.Tensor) -> torch.Tensor:
        assert commands.shape == (len(q), steps, 7)
        return q[:, None] + gain / rate_hz * commands.cumsum(1)

    adapter.forward = forward
    return adapter


@pytest.mark.parametrize('rate_hz', [15.0, 30.0])
def test_a_learned_adapter_is_told_at_its_own_rate(rate_hz: float) -> None:
    with_adapter = follower(rate_hz, unit_rad_s=5.0, adapter=linear_adapter(0.8))
    commands = constant(0.3, steps=round(rate_hz))
    torch.testing.assert_close(
        with_adapter.angles(READY, commands), follower(15.0).angles(READY, constant(0.3)),
    )  # fmt: skip


def test_an_adapter_that_knows_too_little_is_refused() -> None:
    with pytest.raises(ConfigError, match='knows 10 commands at 15 Hz; a chunk .* lasts 0.8 s'):
        follower(adapter=linear_adapter(1.0, steps=10))


def test_adapters_are_found_by_path_and_in_models(tmp_path: Path) -> None:
    assert find_adapter('', None) is None
    assert find_adapter('', tmp_path) is None
    save_dynamics_adapter(tmp_path / 'dynamics_adapter', DynamicsAdapter())
    for found in (find_adapter('', tmp_path), find_adapter(f'{tmp_path}/dynamics_adapter', None)):
        assert found is not None
        assert math.isclose(found.config.rate_hz, 15.0)
    with pytest.raises(ModelError, match='is not a file'):
        find_adapter(f'{tmp_path}/nothing.pth', None)
