# SPDX-License-Identifier: Apache-2.0
"""What is exported is read by the package that the format belongs to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fakes.episodes import STRIDE, VIEWS, episode, joints
from vidplan.cli.main import main
from vidplan_eval.datasets.episode_bag import write_episode_bag
from vidplan_eval.datasets.lerobot import CAMERAS
from vidplan_eval.datasets.lerobot_columns import Columns

lerobot = pytest.importorskip('lerobot', reason='needs the lerobot package')
# Each edition reads one version of the format: v2.1 up to 0.3, v3.0 from 0.4 on.
VERSION = 'v2.1' if lerobot.__version__ < '0.4' else 'v3.0'
FRAMES = 12


def test_lerobot_reads_an_exported_episode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    bag, data = tmp_path / 'bag', tmp_path / 'data'
    made = episode(frames=FRAMES)
    write_episode_bag(made, VIEWS, bag)
    words = ['--out', str(data), '--version', VERSION, '--size', '32x64']
    assert main(['bag', 'export', str(bag), *words]) == 0
    read = LeRobotDataset('local/exported', root=data, video_backend='pyav')
    assert (len(read), read.num_episodes, read.fps) == (FRAMES, 1, 5)
    recorded, names = joints(FRAMES), Columns()
    for frame in range(FRAMES):
        row = read[frame]
        assert row['task'] == made.text
        assert all(row[camera].shape == (3, 32, 64) for camera in CAMERAS)
        angles, pose = row[names.joints].numpy(), row[names.pose].numpy()
        assert np.allclose(angles, recorded.position[STRIDE * frame], atol=1e-6)
        assert np.allclose(pose[:3], recorded.pose[STRIDE * frame, :3], atol=1e-6)
