# SPDX-License-Identifier: Apache-2.0
"""The dynamics adapter learns from recorded episodes how an arm follows its commands."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.recordings import write_ctrl_world, write_lerobot
from vidplan_core.errors import ConfigError
from vidplan_core.world_model.dynamics_adapter import DynamicsAdapterConfig, load_dynamics_adapter
from vidplan_eval.datasets.ctrl_world import CtrlWorldSource
from vidplan_eval.datasets.lerobot import LeRobotSource
from vidplan_eval.datasets.lerobot_columns import Columns
from vidplan_training.cli import main
from vidplan_training.engine.batch_shard import BatchShard
from vidplan_training.recipes.adapter.data import MotionWindows, percentiles
from vidplan_training.recipes.adapter.recipe import held_out_error


def test_windows_pair_commands_with_what_came_of_them(tmp_path: Path) -> None:
    recordings = write_lerobot(tmp_path, 'v2.1', [20, 16, 15, 40])
    windows = MotionWindows(LeRobotSource(tmp_path), False, 15)
    assert len(windows) == 5 + 1  # the third has no angle after its last command
    assert windows.rate_hz == pytest.approx(15.0, rel=1e-4)
    last, first = windows.windows(torch.tensor([4, 5])), recordings[1]
    np.testing.assert_allclose(last.q[0], recordings[0].joints[4], atol=1e-6)
    np.testing.assert_allclose(last.commands[0], recordings[0].velocity[4:19], atol=1e-6)
    moved = recordings[0].joints[5:20] - recordings[0].joints[4]
    np.testing.assert_allclose(last.motion[0], moved, atol=1e-6)
    np.testing.assert_allclose(last.q[1], first.joints[0], atol=1e-6)


def test_shares_make_up_the_batch(tmp_path: Path) -> None:
    write_lerobot(tmp_path, 'v3.0', [20, 30, 20])
    windows = MotionWindows(LeRobotSource(tmp_path), False, 15)
    whole = windows.random(2, 8, 0)
    parts = [windows.random(2, 8, 0, BatchShard(index, 2)) for index in range(2)]
    torch.testing.assert_close(torch.cat([part.motion for part in parts]), whole.motion)


def test_a_joint_that_never_moves_is_not_divided_by() -> None:
    low, high = percentiles(torch.zeros(10, 15, 7))
    assert min(b - a for a, b in zip(low, high)) == pytest.approx(1e-3)


def test_episodes_shorter_than_a_chunk_are_said(tmp_path: Path) -> None:
    write_lerobot(tmp_path, 'v2.1', [12, 12, 12])
    with pytest.raises(ConfigError, match='2 too short'):
        MotionWindows(LeRobotSource(tmp_path), False, 15)


def test_episodes_without_commands_are_said(tmp_path: Path) -> None:
    write_lerobot(tmp_path, 'v2.1', [20, 20])
    source = LeRobotSource(tmp_path, columns=Columns(velocity='none'))
    with pytest.raises(ConfigError, match='1 missing column'):
        MotionWindows(source, False, 15)


def test_it_learns_to_follow(tmp_path: Path) -> None:
    """The arms of these recordings do exactly as they are told."""
    write_ctrl_world(tmp_path / 'data', [40] * 4, [40])
    where = f'data={tmp_path}/data out={tmp_path}/out work={tmp_path}/run.pt'
    sizes = 'batch=128 hidden=64 trainer.iterations=200 trainer.learning_rate=3e-3'
    assert main(f'adapter --preset smoke --set {where} {sizes}'.split()) == 0
    metrics = json.loads((tmp_path / 'out' / 'metrics.json').read_text())
    assert metrics['error_at_end_rad'] < 0.45 * metrics['still_error_at_end_rad']
    adapter = load_dynamics_adapter(tmp_path / 'out')
    held_out = MotionWindows(CtrlWorldSource(tmp_path / 'data'), True, 15).some(1000)
    assert held_out_error(adapter, held_out)['error_rad'] == pytest.approx(metrics['error_rad'])
    # Its percentiles are those of its data, not DROID's.
    assert adapter.config.velocity_p99 != DynamicsAdapterConfig().velocity_p99
    assert adapter.config.velocity_p99 == pytest.approx((0.49,) * 7, abs=0.02)


def test_the_released_adapter_follows_real_arms() -> None:
    shared = Path(os.environ.get('VIDPLAN_SHARED', Path(__file__).resolve().parents[4] / 'shared'))
    droid = shared / 'data' / 'droid'
    if not droid.is_dir():
        pytest.skip('needs the DROID sample in ../shared/data/droid')
    adapter = load_dynamics_adapter(droid / 'action_adapter.pth')
    errors = held_out_error(adapter, MotionWindows(CtrlWorldSource(droid), True, 15).some(1000))
    assert errors['error_at_end_rad'] < 0.25 * errors['still_error_at_end_rad']
