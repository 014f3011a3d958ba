# SPDX-License-Identifier: Apache-2.0
"""The dynamics adapter: released weights against plain numpy, DROID's own motions, gradients."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.vidplan_core.world_model.shared_data import shared
from vidplan_core.errors import ConfigError, ModelError
from vidplan_core.geometry.se3 import matrix_to_euler_xyz
from vidplan_core.world_model.dynamics_adapter import (
    DynamicsAdapter,
    load_dynamics_adapter,
    save_dynamics_adapter,
)

# Percentiles of the release, once more: p01 and p99 of commands and of motions.
VELOCITY = np.array([
    [-0.4077107, -0.79047304, -0.47850373, -0.8666644, -0.6729502, -0.5602032, -0.692411],
    [0.4900636, 0.7259861, 0.45910007, 0.79220384, 0.69864315, 0.648198, 0.810115],
])  # fmt: skip
DELTA = np.array([
    [-0.2801219, -0.397792, -0.22935797, -0.3351759, -0.42025003, -0.36825255, -0.450706],
    [0.2827909, 0.42184818, 0.33529875, 0.35958457, 0.375613, 0.44463825, 0.4697690],
])  # fmt: skip
Q = torch.tensor([[0.1, -0.6, 0.0, -2.3, 0.1, 1.7, 0.7]])


def by_numpy(weights: dict[str, np.ndarray], q: np.ndarray, commands: np.ndarray) -> np.ndarray:
    """The published computation, written down once more without torch."""
    low, high = VELOCITY
    hidden = np.concatenate([q, (2 * (commands - low) / (high - low + 1e-8) - 1).ravel()])
    for layer in (0, 2, 4):
        hidden = weights[f'net.{layer}.weight'] @ hidden + weights[f'net.{layer}.bias']
        if layer < 4:
            hidden = hidden / (1 + np.exp(-hidden))
    low, high = DELTA
    return q + (hidden.reshape(15, 7) + 1) / 2 * (high - low) + low


@pytest.fixture
def released() -> Path:
    return shared('data/droid/action_adapter.pth')


def test_released_layout() -> None:
    found = {name: list(value.shape) for name, value in DynamicsAdapter().state_dict().items()}
    assert found == {
        'net.0.weight': [512, 112], 'net.0.bias': [512],
        'net.2.weight': [512, 512], 'net.2.bias': [512],
        'net.4.weight': [105, 512], 'net.4.bias': [105],
    }  # fmt: skip


def test_released_weights_give_what_numpy_gives(released: Path) -> None:
    adapter = load_dynamics_adapter(released)
    weights = torch.load(released, map_location='cpu', weights_only=True)
    plain = {name: value.double().numpy() for name, value in weights.items()}
    draw = np.random.default_rng(0)
    q = Q[0].double().numpy()
    commands = draw.uniform(-0.5, 0.5, (15, 7))
    angles = adapter(Q, torch.from_numpy(commands[None]).float())[0]
    np.testing.assert_allclose(angles.numpy(), by_numpy(plain, q, commands), atol=2e-6, rtol=0)


def test_the_released_adapter_follows_a_recorded_episode(released: Path) -> None:
    """Commanded velocities to joints and poses of DROID, far better than standing still."""
    episode = json.loads(shared('data/droid/annotation/val/1799.json').read_text())
    adapter = load_dynamics_adapter(released)
    joints = torch.tensor(episode['observation.state.joint_position'])
    poses = torch.tensor(episode['observation.state.cartesian_position'])
    commands = torch.tensor(episode['action.joint_velocity'])
    starts = torch.arange(0, len(joints) - 16, 15)
    windows = starts[:, None] + torch.arange(15)
    angles = adapter(joints[starts], commands[windows])
    error = (angles[:, -1] - joints[starts + 15]).abs().mean()
    still = (joints[starts] - joints[starts + 15]).abs().mean()
    assert error < 0.5 * still
    chunk = adapter.chunk(joints[starts], commands[windows], torch.zeros(len(starts), 16))
    # The present needs no prediction: recorded joints and recorded pose agree exactly.
    torch.testing.assert_close(chunk.position[:, 0], poses[starts, :3], atol=1e-5, rtol=0)
    euler = matrix_to_euler_xyz(chunk.rotation[:, 0])
    apart = torch.remainder(euler - poses[starts, 3:] + torch.pi, 2 * torch.pi) - torch.pi
    torch.testing.assert_close(apart, torch.zeros_like(apart), atol=1e-4, rtol=0)


def test_motion_and_target_are_inverse() -> None:
    adapter, motion = DynamicsAdapter(), torch.randn(3, 15, 7)
    torch.testing.assert_close(adapter.motion(adapter.target(motion)), motion, atol=1e-5, rtol=0)
    ends = adapter.target(torch.from_numpy(DELTA).float())
    torch.testing.assert_close(ends, torch.tensor([[-1.0] * 7, [1.0] * 7]), atol=1e-6, rtol=0)


def test_gradients_reach_every_command_that_a_frame_waits_for() -> None:
    torch.manual_seed(0)
    adapter = DynamicsAdapter()
    commands = torch.zeros(1, 15, 7, requires_grad=True)
    chunk = adapter.chunk(Q, commands, torch.linspace(0, 1, 16)[None])
    assert chunk.position.shape == (1, 5, 3)
    torch.testing.assert_close(chunk.closedness[0], torch.arange(0, 13, 3) / 15)
    (gradient,) = torch.autograd.grad(chunk.position.sum() + chunk.rotation.sum(), commands)
    assert gradient.isfinite().all()
    assert (gradient.abs().sum(-1) > 0).all()


def test_folder_round_trip(tmp_path: Path) -> None:
    adapter = DynamicsAdapter()
    save_dynamics_adapter(tmp_path, adapter)
    loaded = load_dynamics_adapter(tmp_path)
    assert loaded.config == adapter.config
    commands = torch.randn(1, 15, 7)
    assert torch.equal(loaded(Q, commands), adapter(Q, commands))


def test_wrong_inputs_and_files_are_named(tmp_path: Path) -> None:
    adapter = DynamicsAdapter()
    with pytest.raises(ConfigError, match=r'commands \(batch, 15, 7\)'):
        adapter(Q, torch.zeros(1, 10, 7))
    with pytest.raises(ConfigError, match='7 frames of 0.2 s need 18 commands'):
        adapter.chunk(Q, torch.zeros(1, 15, 7), torch.zeros(1, 16), frames=7)
    weights = adapter.state_dict()
    weights['net.2.weight'] = weights['net.2.weight'][:-1].clone()
    torch.save(weights, tmp_path / 'adapter.pth')
    with pytest.raises(ModelError, match=r'net.2.weight has shape \(511, 512\), expected \(512'):
        load_dynamics_adapter(tmp_path / 'adapter.pth')
    with pytest.raises(ModelError, match='is not a file'):
        load_dynamics_adapter(tmp_path / 'other.pth')
