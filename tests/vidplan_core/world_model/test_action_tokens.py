# SPDX-License-Identifier: Apache-2.0
"""What Ctrl-World's weights are told of a pose is what they were trained on, for every pose."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.vidplan_core.world_model.shared_data import shared
from vidplan_core.data.action import DROID_STATS, PoseChunk
from vidplan_core.geometry.se3 import euler_xyz_to_matrix, so3_exp
from vidplan_core.world_model.context import action_tokens

HISTORY, FRAMES = 7, 5
# Rounding of float32 through a rotation matrix, in units of the tokens' range of 2.
TOLERANCE = 1e-5


def published(states: np.ndarray) -> np.ndarray:
    """Tokens of states (..., 7) as trained: raw angles, percentiles to -1 and 1, clamped."""
    low, high = np.array(DROID_STATS.p01), np.array(DROID_STATS.p99)
    return np.clip(2 * (states - low) / (high - low + 1e-8) - 1, -1, 1)


def ours(states: np.ndarray) -> Tensor:
    """Tokens of windows of states (windows, HISTORY - 1 + FRAMES, 7), through rotations."""
    given = torch.from_numpy(states)
    rotation = euler_xyz_to_matrix(given[..., 3:6]).float()
    poses = PoseChunk(given[..., :3].float(), rotation, given[..., 6].float())
    past, future = poses.part(slice(0, HISTORY)), poses.part(slice(HISTORY - 1, None))
    return action_tokens(past, future, 'droid')


def windows(states: np.ndarray) -> np.ndarray:
    """Every window of consecutive states, the last state repeated where an episode ends."""
    length = HISTORY - 1 + FRAMES
    padded = np.concatenate([states, np.repeat(states[-1:], length - 1, 0)])
    return np.stack([padded[k : k + length] for k in range(len(states))])


def differing(states: np.ndarray) -> int:
    """Number of windows in which any token differs from the published formula."""
    found, wanted = ours(windows(states)).numpy(), published(windows(states))
    return int((np.abs(found - wanted) > TOLERANCE).any((1, 2)).sum())


@pytest.mark.parametrize('axis', [3, 5], ids=['roll', 'yaw'])
def test_turning_over_the_back_wraps_as_in_training(axis: int) -> None:
    """An angle goes through pi and comes out at -pi: the token jumps from 1 to -1, and so ours."""
    states = np.tile([0.5, 0.0, 0.4, 3.0, 0.1, 0.2, 0.3], (60, 1))
    turned = 2.8 + 0.02 * np.arange(60)
    states[:, axis] = (turned + np.pi) % (2 * np.pi) - np.pi
    assert differing(states) == 0
    jumps = np.abs(np.diff(published(states)[:, axis]))
    assert jumps.max() > 1.9


def test_any_pose_is_told_as_in_training() -> None:
    draw = np.random.default_rng(0)
    angles = draw.uniform(-1, 1, (500, 3)) * [np.pi, 1.5, np.pi]
    states = np.concatenate([draw.uniform(-1, 1.5, (500, 3)), angles, draw.random((500, 1))], 1)
    assert differing(states) == 0


def recorded_states() -> list[np.ndarray]:
    """States of every recorded episode (frames, 7), at the model's rate and at the robot's."""
    found = []
    for path in sorted(Path(shared('data/droid/annotation')).glob('*/*.json')):
        episode = json.loads(path.read_text())
        found.append(np.array(episode['states']))
        pose = np.array(episode['observation.state.cartesian_position'])
        grip = np.array(episode['observation.state.gripper_position']).reshape(-1, 1)
        found.append(np.concatenate([pose, grip], 1))
    return found


def test_every_window_of_recorded_episodes_is_told_as_in_training() -> None:
    episodes = recorded_states()
    assert sum(len(states) for states in episodes) > 1000
    assert [differing(states) for states in episodes] == [0] * len(episodes)


@pytest.mark.parametrize(
    'euler',
    [(np.pi, 0.0, 0.0), (0.0, np.pi / 2, 0.0), (3.0, -np.pi / 2, 1.0), (0.0, 0.0, np.pi)],
    ids=['down', 'along x', 'up', 'turned'],
)
def test_gradients_are_finite_where_angles_are_not_unique(euler: tuple[float, ...]) -> None:
    turn = torch.zeros(1, HISTORY - 1 + FRAMES, 3, requires_grad=True)
    base = euler_xyz_to_matrix(torch.tensor(euler, dtype=torch.float32))
    poses = PoseChunk(0.4 + 0 * turn, base @ so3_exp(turn), turn[..., 0])
    tokens = action_tokens(
        poses.part(slice(0, HISTORY)), poses.part(slice(HISTORY - 1, None)), 'droid'
    )
    (gradient,) = torch.autograd.grad(tokens.square().sum() + tokens.sum(), turn)
    assert gradient.isfinite().all()
