# SPDX-License-Identifier: Apache-2.0
"""Tiny shards of the cell's layout: random latents, an arm that moves a little."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.fakes.tiny import CHANNELS
from vidplan_training.data.latents import LATENTS

FRAMES = 8


def write_shard(
    folder: Path, episodes: int = 3, frames: int = FRAMES, *, jump: bool = False
) -> None:
    """A shard with latents and poses; the first episode jumps if asked."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    position = 0.4 + 0.01 * np.cumsum(rng.normal(size=(episodes, frames, 3)), axis=1)
    if jump:
        position[0, 4:] += 0.8
    arrays = {
        LATENTS: rng.normal(size=(episodes, frames, CHANNELS, 12, 8)).astype(np.float16),
        'position': position.astype(np.float32),
        'quaternion': np.tile(np.float32([1, 0, 0, 0]), (episodes, frames, 1)),
        'closedness': np.zeros((episodes, frames), np.float32),
    }
    for name, array in arrays.items():
        np.save(folder / f'{name}.npy', array)
    (folder / 'meta.json').write_text(json.dumps({'seeds': list(range(episodes))}))
