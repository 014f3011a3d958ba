# SPDX-License-Identifier: Apache-2.0
"""Clips show the frames they should, whatever the length of their episodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.training.recordings import write_ctrl_world

from vidplan_core.errors import ConfigError
from vidplan_training.data import episode_clips
from vidplan_training.data.episode_clips import EpisodeClips, Window
from vidplan_training.data.latents import Statistics, measure
from vidplan_eval.datasets.ctrl_world import SVD_SCALE, CtrlWorldSource
from vidplan_training.engine.batch_shard import BatchShard

CHANNELS = 4
PLAIN = Statistics((0.0,) * CHANNELS, (1.0,) * CHANNELS, 1.0)


@pytest.fixture
def source(tmp_path: Path) -> CtrlWorldSource:
    write_ctrl_world(tmp_path, [9, 12, 4, 7], [8])
    return CtrlWorldSource(tmp_path)


def test_a_window_reaches_back_and_stays_in_its_episode() -> None:
    window = Window(ages=(1_000_000, 8, 4, 0), frames=3)
    assert window.indices(9, 20, 1, False).tolist() == [0, 1, 5, 9, 10, 11]
    assert window.indices(9, 20, 2, False).tolist() == [0, 0, 1, 9, 11, 13]
    assert window.indices(9, 20, 1, True).tolist() == [9, 9, 9, 9, 10, 11]
    assert window.indices(18, 20, 2, False).tolist()[-3:] == [18, 19, 19]


@settings(deadline=None)
@given(
    present=st.integers(0, 30),
    history=st.integers(1, 7),
    frames=st.integers(1, 6),
    skip=st.integers(1, 3),
)
def test_every_index_is_a_frame_and_the_present_is_where_it_should_be(
    present: int, history: int, frames: int, skip: int
) -> None:
    indices = Window.consecutive(history, frames).indices(present, 31, skip, False)
    assert len(indices) == history - 1 + frames
    assert indices[history - 1] == present
    assert (np.diff(indices) >= 0).all()
    assert indices.min() >= 0
    assert indices.max() <= 30


@pytest.mark.parametrize(
    'settings', [{'ages': (2, 1)}, {'ages': ()}, {'skips': (0,)}, {'still': 1.5}]
)
def test_a_window_that_cannot_be_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Window(**{'ages': (1, 0), 'frames': 5} | settings)


def test_clips_are_the_stored_frames(source: CtrlWorldSource, tmp_path: Path) -> None:
    clips = EpisodeClips(source, False, Window.consecutive(2, 5), PLAIN)
    # Presents 0..4, 0..7 and 0..2; the episode of 4 frames is too short.
    assert len(clips) == 5 + 8 + 3
    clip = clips._join([clips._clip(5 + 6, 1, False)])
    assert clip.latents.shape == (1, 6, CHANNELS, 6, 4)
    assert clip.texts == ('do thing 1',)
    stored = torch.load(tmp_path / 'latent_videos/train/1/1.pt', weights_only=True) / SVD_SCALE
    torch.testing.assert_close(clip.latents[0, :, :, 2:4], stored[5:11], rtol=2e-3, atol=2e-2)
    poses = source.read('train/1').poses
    torch.testing.assert_close(clip.poses.position[0], poses.position[5:11])


def test_large_sets_are_read_from_disk(
    source: CtrlWorldSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = Window.consecutive(2, 5)
    inside = EpisodeClips(source, False, window, PLAIN).random(3, 8, 0)
    monkeypatch.setattr(episode_clips, 'IN_MEMORY_BYTES', -1)
    outside = EpisodeClips(source, False, window, PLAIN).random(3, 8, 0)
    torch.testing.assert_close(inside.latents, outside.latents, rtol=2e-3, atol=2e-2)  # float16
    torch.testing.assert_close(inside.poses.rotation, outside.poses.rotation)


def test_shares_make_up_the_batch(source: CtrlWorldSource) -> None:
    clips = EpisodeClips(source, False, Window((2, 0), 5, (1, 2), 0.5), PLAIN)
    whole = clips.random(7, 8, 0)
    parts = [clips.random(7, 8, 0, BatchShard(index, 4)) for index in range(4)]
    torch.testing.assert_close(torch.cat([part.latents for part in parts]), whole.latents)
    assert sum((part.texts for part in parts), ()) == whole.texts
    assert not torch.equal(clips.random(8, 8, 0).latents, whole.latents)


def test_measured_statistics_normalise(source: CtrlWorldSource) -> None:
    clips = EpisodeClips(source, False, Window.consecutive(2, 5))
    every = torch.cat([e.latents().float() for e in clips._episodes])
    std = torch.tensor(clips.stats.std).reshape(1, -1, 1, 1)
    normalised = (every - torch.tensor(clips.stats.mean).reshape(1, -1, 1, 1)) / std
    torch.testing.assert_close(
        normalised.mean((0, 2, 3)), torch.zeros(CHANNELS), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(normalised.std((0, 2, 3)), torch.ones(CHANNELS), atol=1e-2, rtol=0)


def test_changes_of_independent_frames_are_root_two() -> None:
    torch.manual_seed(0)
    stats = measure([3 * torch.randn(40, 2, 8, 8)], 5)
    assert stats.residual_std == pytest.approx(2**0.5, abs=0.02)
    assert stats.std == pytest.approx((3.0, 3.0), abs=0.1)


def test_nothing_to_train_on_is_said(tmp_path: Path) -> None:
    write_ctrl_world(tmp_path, [3, 4], [])
    with pytest.raises(ConfigError, match='skipped 2: 2 too short; nothing to train on'):
        EpisodeClips(CtrlWorldSource(tmp_path), False, Window.consecutive(2, 5))


def test_latents_that_are_not_finite_are_skipped(tmp_path: Path) -> None:
    write_ctrl_world(tmp_path, [9, 9], [])
    file = tmp_path / 'latent_videos/train/0/1.pt'
    latents = torch.load(file, weights_only=True)
    latents[3, 0, 0, 0] = float('nan')
    torch.save(latents, file)
    clips = EpisodeClips(CtrlWorldSource(tmp_path), False, Window.consecutive(2, 5))
    assert len(clips) == 5
