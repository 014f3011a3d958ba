# SPDX-License-Identifier: Apache-2.0
"""Latents of recorded episodes, encoded once, with the poses that belong to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidplan_core.errors import ConfigError
from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.models.precision import fast_precision
from vidplan_core.world_model.autoencoders.build import AnyAutoencoder
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_training.data.dataset import Shard, batches_of
from vidplan_training.engine.progress_log import ProgressLog
from vidplan_training.engine.batch_shard import WHOLE, BatchShard

LATENTS = 'latents'
# What shards of robots' episodes note of each: what was asked for, and whether it was done.
TEXTS, SUCCESS = 'texts', 'success'
# Faster than any behaviour moves within a frame period: the simulation broke down there.
LONGEST_STEP_M = 0.12
ENCODED_AT_ONCE = 120
CPU = torch.device('cpu')
Precision = Callable[[torch.device], AbstractContextManager[object]]


@torch.no_grad()
def encode_shards(found: Sequence[Shard], autoencoder: AnyAutoencoder) -> None:
    """Write latents.npy (episodes, frames, channels, views*rows, columns) float16 per shard.

    Raw latents, not normalised; a shard that has them already is left alone.
    """
    progress = ProgressLog('encode (shards)', len(found))
    for done, shard in enumerate(found, 1):
        path = shard.folder / f'{LATENTS}.npy'
        if not path.exists():
            np.save(path, encode(shard.array('images'), autoencoder, precision=_bfloat16))
        progress.update(done)


@torch.no_grad()
def encode(
    images: np.ndarray, autoencoder: AnyAutoencoder, device: torch.device = CPU,
    precision: Precision = fast_precision,
) -> np.ndarray:  # fmt: skip
    """Raw latents (..., channels, views * rows, columns) float16 of images.

    Args:
        images: uint8 (..., views, height, width, 3); may be memory-mapped.
        autoencoder: on the device.
        device: that computes.
        precision: of the networks on a device.
    """
    views, before = images.shape[-4], images.shape[:-4]
    parts = []
    for batch in batches_of(images.reshape(-1, *images.shape[-3:]), ENCODED_AT_ONCE):
        pixels = torch.from_numpy(np.array(batch)).to(device).permute(0, 3, 1, 2).float()
        with precision(device):
            parts.append(autoencoder.encode(pixels / 127.5 - 1.0).half().cpu())
    latents = torch.cat(parts).unflatten(0, (-1, views)).transpose(1, 2).flatten(2, 3)
    return latents.numpy().reshape(*before, *latents.shape[1:])


def _bfloat16(device: torch.device) -> AbstractContextManager[object]:
    return torch.autocast(device.type, torch.bfloat16)


@dataclass(frozen=True)
class Statistics:
    """Per-channel mean and standard deviation of latents, and the size of their changes."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    residual_std: float

    @staticmethod
    def of(config: WorldModelConfig) -> Statistics:
        """Those that a world model normalises with."""
        return Statistics(config.latent_mean, config.latent_std, config.residual_std)


def statistics(shard: Shard, frames: int) -> Statistics:
    """Measured on one shard of training episodes."""
    return measure(torch.from_numpy(np.asarray(shard.array(LATENTS), np.float32)), frames)


def measure(episodes: Iterable[Tensor], frames: int) -> Statistics:
    """Per-channel mean and deviation of latents, and of their changes within `frames`.

    Args:
        episodes: (frames, channels, rows, columns) each.
        frames: of a chunk; changes of 1 to frames - 1 frames count.
    """
    latents = [episode.double() for episode in episodes]
    flat = torch.cat([episode.transpose(0, 1).flatten(1) for episode in latents], dim=1)
    mean, std = flat.mean(1), flat.std(1)
    scaled = [episode / std[:, None, None] for episode in latents]
    steps = range(1, frames)
    changes = [(e[k:] - e[:-k]).flatten() for e in scaled for k in steps if len(e) > k]
    residual = torch.cat(changes).square().mean().sqrt()
    return Statistics(tuple(mean.tolist()), tuple(std.tolist()), float(residual))


@dataclass(frozen=True)
class Clips:
    """A batch of clips: normalised latents (batch, history - 1 + frames, ...) and their poses.

    texts: instruction of each clip; empty where the data have none.
    """

    latents: Tensor
    poses: PoseChunk
    texts: tuple[str, ...] = ()

    def rows(self, which: slice) -> Clips:
        """Some of the clips."""
        return Clips(self.latents[which], self.poses.rows(which), self.texts[which])

    def to(self, device: torch.device) -> Clips:
        """The same clips on another device."""
        return Clips(self.latents.to(device), self.poses.to(device), self.texts)


class Recordings:
    """Latents (float16) and poses of all sound episodes, of any lengths, in memory.

    lengths: frames of each episode.
    """

    def __init__(self, found: Sequence[Shard], stats: Statistics) -> None:
        self._kept = [(shard, _sound(_array(shard, 'position'))) for shard in found]
        _report_skipped(self._kept)
        self._latents = torch.from_numpy(np.concatenate(self.of(LATENTS)))
        position = self.of('position')
        self.lengths = np.array([len(episode) for episode in position])
        self._first = np.cumsum(self.lengths) - self.lengths
        self._position, quaternion, self._closedness = (
            torch.from_numpy(np.concatenate(episodes)).float()
            for episodes in (position, self.of('quaternion'), self.of('closedness'))
        )
        self._rotation = quaternion_to_matrix(quaternion)
        self.texts = tuple(text or '' for text in self.noted(TEXTS))
        shape = (1, 1, -1, 1, 1)
        self._mean = torch.tensor(stats.mean).reshape(shape)
        self._std = torch.tensor(stats.std).reshape(shape)

    def __len__(self) -> int:
        return len(self.lengths)

    def of(self, name: str) -> list[np.ndarray]:
        """An array of every episode, (frames, ...)."""
        return [episode for shard, sound in self._kept for episode in shard.array(name)[sound]]

    def noted(self, name: str) -> list[Any]:
        """What the shards note of every episode, such as its text; None where they do not."""
        return [
            shard.meta.get(name, [None] * len(sound))[row]
            for shard, sound in self._kept
            for row in np.flatnonzero(sound)
        ]

    def tools(self) -> list[np.ndarray]:
        """Tool centre points (frames, 3) of every episode, base frame, m."""
        points = tcp_position(self._position, self._rotation).numpy()
        return np.split(points, self._first[1:])

    def clips(self, episode: np.ndarray, frames: np.ndarray) -> Clips:
        """Clips of episodes (batch,) with these of their frames (batch, length)."""
        where = torch.from_numpy(self._first[episode][:, None] + frames)
        latents = (self._latents[where].float() - self._mean) / self._std
        poses = PoseChunk(self._position[where], self._rotation[where], self._closedness[where])
        return Clips(latents, poses, tuple(self.texts[k] for k in episode))


class ClipDataset:
    """All windows of all episodes of a split.

    Args:
        found: their shards.
        ages: how many frames before the present each history frame lies, the present's 0 last.
        frames: from the present on.
        stats: to normalise by.

    Raises:
        ConfigError: all episodes are shorter than that.
    """

    def __init__(
        self, found: Sequence[Shard], ages: Sequence[int], frames: int, stats: Statistics
    ) -> None:
        self._episodes = Recordings(found, stats)
        self._frames = frames
        self._offsets = np.array([*(-age for age in ages), *range(1, frames)])
        self._windows = np.maximum(self._episodes.lengths - frames + 1, 0)
        self._ends = np.cumsum(self._windows)
        if not len(self):
            longest = self._episodes.lengths.max(initial=0)
            raise ConfigError(
                f'clips of {frames} frames are needed, the longest of {len(self._windows)} '
                f'episodes has {longest}'
            )

    def __len__(self) -> int:
        return int(self._windows.sum())

    def clips(self, indices: np.ndarray) -> Clips:
        """Clips of window indices; an episode's start is preceded by itself, at rest."""
        episode = np.searchsorted(self._ends, indices, side='right')
        present = indices - (self._ends - self._windows)[episode]
        return self._episodes.clips(episode, np.maximum(present[:, None] + self._offsets, 0))

    def random(self, iteration: int, batch: int, seed: int, shard: BatchShard = WHOLE) -> Clips:
        """Own rows of a batch that depends on seed and iteration only."""
        rng = np.random.default_rng([seed, iteration, 11])
        return self.clips(rng.integers(len(self), size=batch)[shard.rows(batch)])


def _sound(position: np.ndarray) -> np.ndarray:
    """Episodes (bool) in which the flange (episodes, frames, 3) moves as an arm can."""
    jumps = np.linalg.norm(np.diff(position, axis=1), axis=-1).max(axis=1)
    return np.isfinite(jumps) & (jumps < LONGEST_STEP_M)


def _report_skipped(kept: Sequence[tuple[Shard, np.ndarray]]) -> None:
    sound = np.concatenate([sound for _, sound in kept])
    if not sound.all():
        print(f'skipped {(~sound).sum()} of {len(sound)} episodes: the arm jumps in them')


def _array(shard: Shard, name: str) -> np.ndarray:
    return np.asarray(shard.array(name), np.float32)
