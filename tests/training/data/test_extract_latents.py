# SPDX-License-Identifier: Apache-2.0
"""Recorded episodes are encoded once, into a layout that can be trained on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.training.recordings import Recording, write_lerobot

from vidplan_core.data.action import DROID_STATS
from vidplan_core.world_model.autoencoders.build import save_autoencoder
from vidplan_core.world_model.autoencoders.config import AutoencoderConfig
from vidplan_core.world_model.autoencoders.convolutional import Autoencoder
from vidplan_training.cli import main
from vidplan_eval.datasets.ctrl_world import CtrlWorldSource
from vidplan_eval.datasets.lerobot import CAMERAS, LeRobotSource

SIZE = (32, 48)


def tiny_autoencoder(folder: Path, seed: int = 0) -> Autoencoder:
    torch.manual_seed(seed)
    autoencoder = Autoencoder(AutoencoderConfig(4, (8, 8, 8), 1))
    save_autoencoder(folder, autoencoder)
    return autoencoder


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, list[Recording]]:
    tiny_autoencoder(tmp_path / 'autoencoder')
    return tmp_path, write_lerobot(tmp_path / 'data', 'v2.1', [25, 22, 28])


def extract(root: Path, *more: str) -> int:
    arguments = f'extract-latents --source lerobot --data {root}/data --out {root}/out'
    size = f' --autoencoder {root}/autoencoder --size {SIZE[0]} {SIZE[1]}'
    return main([*(arguments + size).split(), *more])


def test_latents_are_those_of_the_pictures(data: tuple[Path, list[Recording]]) -> None:
    root, recordings = data
    assert extract(root) == 0
    out, before = CtrlWorldSource(root / 'out'), LeRobotSource(root / 'data', size=SIZE)
    assert (out.ids(False), out.ids(True)) == (['train/0', 'train/1'], ['val/2'])
    episode, recorded = out.read('train/1'), before.read('1')
    torch.testing.assert_close(episode.poses.position, recorded.poses.position)
    assert (episode.text, episode.success) == (recorded.text, recorded.success)
    np.testing.assert_allclose(episode.joints().velocity, recordings[1].velocity)
    pictures = torch.from_numpy(np.stack(list(recorded.pictures())))
    autoencoder = tiny_autoencoder(root / 'again')
    with torch.no_grad():
        pixels = pictures[3].permute(0, 3, 1, 2).float() / 127.5 - 1
        expected = autoencoder.encode(pixels).transpose(0, 1).flatten(1, 2)
    # Networks run in the machine's fast precision.
    torch.testing.assert_close(episode.latents()[3], expected, rtol=0.03, atol=0.03)


def test_what_is_there_is_not_encoded_again(data: tuple[Path, list[Recording]]) -> None:
    root, _ = data
    extract(root)
    kept = root / 'out/latent_videos/train/0/1.pt'
    lost = root / 'out/annotation/train/1.json'
    stamp, text = kept.stat().st_mtime_ns, lost.read_text()
    lost.unlink()
    extract(root)
    assert kept.stat().st_mtime_ns == stamp
    assert json.loads(lost.read_text()) == json.loads(text)


def test_another_autoencoder_needs_another_folder(
    data: tuple[Path, list[Recording]], capsys: pytest.CaptureFixture[str]
) -> None:
    root, _ = data
    extract(root)
    tiny_autoencoder(root / 'autoencoder', seed=1)
    assert extract(root) == 2
    assert 'choose another folder' in capsys.readouterr().err


def test_a_broken_video_costs_its_episode_only(
    data: tuple[Path, list[Recording]], capsys: pytest.CaptureFixture[str]
) -> None:
    root, _ = data
    video = root / 'data/videos/chunk-000' / CAMERAS[2] / 'episode_000000.mp4'
    video.write_bytes(video.read_bytes()[:-300])
    assert extract(root) == 0
    assert CtrlWorldSource(root / 'out').ids(False) == ['train/1']
    told = capsys.readouterr()
    assert 'skipped 1: 1 truncated video' in told.out
    assert str(video) in told.err


def test_percentiles_are_measured_once(data: tuple[Path, list[Recording]]) -> None:
    root, recordings = data
    extract(root)
    path = root / 'out/stat.json'
    rows = [np.c_[r.pose[::3], r.gripper[::3]] for r in recordings[:2]]  # the third is held out
    expected = np.percentile(np.concatenate(rows), [1, 99], axis=0)
    stored = json.loads(path.read_text())
    np.testing.assert_allclose([stored['state_01'], stored['state_99']], expected, atol=1e-5)
    path.write_text(json.dumps({'state_01': [0.0] * 7, 'state_99': [1.0] * 7}))
    extract(root)
    assert json.loads(path.read_text())['state_99'] == [1.0] * 7


def test_the_released_checkpoint_keeps_its_percentiles(
    data: tuple[Path, list[Recording]],
) -> None:
    root, _ = data
    extract(root, '--released-statistics')
    stored = json.loads((root / 'out/stat.json').read_text())
    assert stored == {'state_01': list(DROID_STATS.p01), 'state_99': list(DROID_STATS.p99)}
