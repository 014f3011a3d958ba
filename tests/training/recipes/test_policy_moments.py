# SPDX-License-Identifier: Apache-2.0
"""Moments that a policy learns from: as they are, and as planners meet them that hand over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tests.fakes.tiny import CHANNELS, tiny_world_model
from tests.fakes.tiny_system import RedScorer
from vidplan_training.data.dataset import Shard
from vidplan_training.recipes.policy.data import HAND_OVER, MomentReader, Moments

FRAMES, KINDS = 10, ['pea', 'bowl']
META = {'seeds': [0], 'kinds': KINDS}


def written(folder: Path, latents: np.ndarray) -> Shard:
    """One episode of which latents and relevancy are known already."""
    folder.mkdir()
    lying = np.zeros((1, FRAMES, 2, 3), np.float32)
    arrays = {
        'latents': latents.astype(np.float16),
        'relevancy': np.full((1, FRAMES // 2, 2, 3, 4, 8), 0.6, np.float16),
        'position': np.full((1, FRAMES, 3), 0.4, np.float32),
        'quaternion': np.tile(np.array([1.0, 0.0, 0.0, 0.0], np.float32), (1, FRAMES, 1)),
        'closedness': np.zeros((1, FRAMES), np.float32),
        'commanded': np.zeros((1, FRAMES), np.float32),
        'goal': np.zeros((1, FRAMES), np.float32),
        'target': np.zeros((1, FRAMES), np.int16),
        'expert': np.full((1, FRAMES, 5), 0.1, np.float32),
        'held': np.full((1, FRAMES), -1, np.int8),
        'objects': lying,
    }
    for name, values in arrays.items():
        np.save(folder / f'{name}.npy', values)
    return Shard(folder, META)


def read(folder: Path, latents: np.ndarray) -> Moments:
    model = tiny_world_model()
    found = MomentReader(model, RedScorer(0.5), 6).read(written(folder, latents))  # type: ignore[arg-type]
    assert found is not None
    return found


def test_what_is_handed_over_to_is_imagined_from_what_was_seen(tmp_path: Path) -> None:
    torch.manual_seed(0)
    latents = torch.randn(1, FRAMES, CHANNELS, 12, 8).numpy()
    found = read(tmp_path / 'one', latents)
    decisions = FRAMES // 2
    assert len(found) == 2 * decisions - HAND_OVER // 2
    model = tiny_world_model()
    true = (torch.from_numpy(latents).half().float()[0] - model.mean[0]) / model.std[0]
    torch.testing.assert_close(found.latents[:decisions], true[::2].half())
    # The last moment was seen HAND_OVER frames before: nothing that came later is known there.
    later = latents.copy()
    later[:, FRAMES - 1 - HAND_OVER :] += 1.0
    other = read(tmp_path / 'two', later)
    torch.testing.assert_close(other.latents[-1], found.latents[-1])
    assert not torch.equal(other.latents[decisions - 1], found.latents[decisions - 1])
    assert not torch.equal(found.latents[-1], found.latents[decisions - 1])
