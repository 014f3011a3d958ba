# SPDX-License-Identifier: Apache-2.0
"""Clips for training from episodes of different lengths that have latents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ConfigError
from vidplan_training.data.latents import Clips, Statistics, measure
from vidplan_eval.datasets.episode import RecordedEpisode, Poses, Source
from vidplan_eval.datasets.errors import NO_LATENTS, NOT_FINITE, EpisodeError
from vidplan_training.data.readers.walk import Walk
from vidplan_training.engine.batch_shard import WHOLE, BatchShard

# Latents up to this size are kept in memory, as float16; larger sets are read from disk.
IN_MEMORY_BYTES = 8 << 30
MEASURED_EPISODES = 64


class ClipSource(Protocol):
    """What a training draws its batches from."""

    def __len__(self) -> int:
        """Number of windows."""
        ...

    def random(self, iteration: int, batch: int, seed: int, shard: BatchShard = WHOLE) -> Clips:
        """Own rows of a batch that depends on seed and iteration only."""
        ...


@dataclass(frozen=True)
class Window:
    """Which frames of an episode a clip shows.

    ages: how many frames before the present each history frame lies, the present's 0 last;
        frames before an episode's first are its first.
    frames: the present and those after it; after an episode's last they are its last.
    skips: a clip is shown at one of these paces (frames per model frame).
    still: share of clips whose history is the present, as after a restart.

    Ctrl-World's training has skips (1, 2), still 0.15 and history 4 frames apart.
    """

    ages: tuple[int, ...]
    frames: int
    skips: tuple[int, ...] = (1,)
    still: float = 0.0

    def __post_init__(self) -> None:
        if not self.ages or self.ages[-1] != 0 or min(self.ages) < 0:
            raise ConfigError(f'history ages must end with 0, the present; got {self.ages}')
        if not self.skips or min(self.skips) < 1 or not 0 <= self.still <= 1:
            raise ConfigError(f'skips must be 1 or more and still in 0 .. 1; got {self}')

    @staticmethod
    def consecutive(history: int, frames: int) -> Window:
        """History right before the present, which `history` counts."""
        return Window(tuple(range(history - 1, -1, -1)), frames)

    def indices(self, present: int, length: int, skip: int, still: bool) -> np.ndarray:
        """Frames of a clip, history first, the present once."""
        past = np.zeros(len(self.ages), int) if still else -skip * np.array(self.ages)
        offsets = np.concatenate([past, skip * np.arange(1, self.frames)])
        return np.clip(present + offsets, 0, length - 1)


@dataclass(frozen=True, eq=False)
class _Kept:
    latents: Callable[[], Tensor]
    poses: Poses
    text: str


class EpisodeClips:
    """All windows of all sound episodes of a split.

    Args:
        source: episodes with latents.
        held_out: which split.
        window: frames of a clip.
        stats: to normalise by; measured on the first episodes when not given.

    Raises ConfigError when no episode is sound.
    """

    def __init__(
        self, source: Source, held_out: bool, window: Window, stats: Statistics | None = None
    ) -> None:
        walk = Walk(source, held_out, shortest=window.frames)
        self._window = window
        self._episodes: list[_Kept] = []
        self._bytes = 0
        for episode in walk:
            with walk.attempt():
                self._episodes.append(self._keep(episode))
        if not self._episodes:
            raise ConfigError(f'{walk.summary()}; nothing to train on')
        lengths = [len(e.poses.position) - window.frames + 1 for e in self._episodes]
        self._ends = np.cumsum(lengths)
        self.shape = tuple(self._episodes[0].latents().shape[1:])
        self.stats = stats or self._measure()
        shape = (1, -1, 1, 1)
        self._mean = torch.tensor(self.stats.mean).reshape(shape)
        self._std = torch.tensor(self.stats.std).reshape(shape)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def random(self, iteration: int, batch: int, seed: int, shard: BatchShard = WHOLE) -> Clips:
        """See `ClipSource`."""
        rng = np.random.default_rng([seed, iteration, 11])
        windows = rng.integers(len(self), size=batch)
        skips = rng.choice(self._window.skips, size=batch)
        still = rng.random(batch) < self._window.still
        rows = range(batch)[shard.rows(batch)]
        return self._join([self._clip(windows[i], int(skips[i]), bool(still[i])) for i in rows])

    def _clip(self, index: int, skip: int, still: bool) -> tuple[Tensor, Poses, str]:
        number = int(np.searchsorted(self._ends, index, side='right'))
        before = self._ends[number - 1] if number else 0
        kept = self._episodes[number]
        length = len(kept.poses.position)
        frames = torch.from_numpy(self._window.indices(int(index - before), length, skip, still))
        latents = (kept.latents()[frames].float() - self._mean) / self._std
        poses = kept.poses
        picked = Poses(poses.position[frames], poses.rotation[frames], poses.closedness[frames])
        return latents, picked, kept.text

    def _join(self, clips: list[tuple[Tensor, Poses, str]]) -> Clips:
        latents, poses, texts = zip(*clips, strict=True)
        chunk = PoseChunk(
            torch.stack([p.position for p in poses]),
            torch.stack([p.rotation for p in poses]),
            torch.stack([p.closedness for p in poses]),
        )
        return Clips(torch.stack(latents), chunk, texts)

    def _keep(self, episode: RecordedEpisode) -> _Kept:
        if episode.latents is None:
            raise EpisodeError(
                episode.id, NO_LATENTS, episode.file, 'run `vidplan-train extract-latents` first'
            )
        if self._bytes > IN_MEMORY_BYTES:
            return _Kept(episode.latents, episode.poses, episode.text)
        latents = episode.latents().half()
        if not bool(latents.isfinite().all()):
            raise EpisodeError(episode.id, NOT_FINITE, episode.file, 'latents')
        self._bytes += latents.numel() * latents.element_size()
        return _Kept(lambda: latents, episode.poses, episode.text)

    def _measure(self) -> Statistics:
        some = [episode.latents() for episode in self._episodes[:MEASURED_EPISODES]]
        return measure(some, self._window.frames)
