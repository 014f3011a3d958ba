# SPDX-License-Identifier: Apache-2.0
"""Clips of held-out episodes: which ones, and what they show, loaded one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_eval.replay.windows import kind_of_motion
from vidplan_training.collect.collect import EVALUATION_SEEDS
from vidplan_training.data.dataset import Shard, is_held_out, shards

CLIPS_PER_EPISODE = 2


@dataclass(frozen=True)
class ClipPlace:
    """Where a clip is: the present frame of an episode; `number` counts episodes."""

    shard: Shard
    episode: int
    present: int
    number: int


@dataclass(frozen=True)
class Clip:
    """Images and poses of past and future; the present is frame `history - 1`.

    The past frames are those that the world model looks at, which may lie apart.

    images: uint8 (frames, views*height, width, 3).
    poses: (1, frames).
    """

    images: Tensor
    poses: PoseChunk
    history: int

    @property
    def past(self) -> PoseChunk:
        """Poses up to the present, (1, history)."""
        return self.poses.part(slice(0, self.history))

    @property
    def future(self) -> PoseChunk:
        """Poses from the present on."""
        return self.poses.part(slice(self.history - 1, None))

    def views(self, count: int) -> Tensor:
        """Images (frames, views, 3, height, width) in [0, 1]."""
        split = self.images.unflatten(1, (count, -1))
        return split.permute(0, 1, 4, 2, 3).float() / 255.0


def held_out_shards(data: Path) -> list[Shard]:
    """Shards that no training saw: of evaluation seeds, or every tenth of training data.

    Raises:
        FileNotFoundError: there is no shard.
        ValueError: all of them are for training.
    """
    chosen = [
        shard
        for index, shard in enumerate(shards(data))
        if shard.meta.get(
            'held_out', _first_seed(shard) >= EVALUATION_SEEDS or is_held_out(index)
        )
    ]
    if not chosen:
        raise ValueError(
            f'{data} holds training episodes only: collect some with --evaluation '
            f'(seeds from {EVALUATION_SEEDS} up)'
        )
    return chosen


def places(data: Path, clips: int, config: WorldModelConfig, seed: int) -> list[ClipPlace]:
    """Seeded places of clips, two per episode, in the order of the episodes.

    Raises:
        ValueError: an episode of the cell is too short for two clips, or all are.
    """
    rng = np.random.default_rng([seed, 5])
    chosen: list[ClipPlace] = []
    for shard in held_out_shards(data):
        if shard.branches:  # too short, and many of one moment
            continue
        presents = np.arange(1, episode_frames(shard) - config.frames + 1)
        if len(presents) < CLIPS_PER_EPISODE:
            if _of_a_robot(shard) or 'scenes' in shard.meta:  # of whatever length
                continue
            raise ValueError(
                f'episodes of {shard.folder} have {episode_frames(shard)} frames; clips of '
                f'{config.frames} need at least {config.frames + CLIPS_PER_EPISODE}'
            )
        if _of_a_robot(shard) and not shard.has('images'):
            continue
        for episode in range(shard.episodes):
            number = len(chosen) // CLIPS_PER_EPISODE
            for present in rng.choice(presents, CLIPS_PER_EPISODE, replace=False):
                chosen.append(ClipPlace(shard, episode, int(present), number))
    if not chosen:
        raise ValueError(
            f'no held-out episode of {data} has pictures and is long enough for clips of '
            f'{config.frames} frames'
        )
    return chosen[:clips]


def _of_a_robot(shard: Shard) -> bool:
    return 'held_out' in shard.meta


def _first_seed(shard: Shard) -> int:
    """Of its scenes; episodes of several attempts number their rows."""
    return int(shard.meta['scenes'][0] if 'scenes' in shard.meta else min(shard.meta['seeds']))


def load_clip(place: ClipPlace, config: WorldModelConfig, frames: int | None = None) -> Clip:
    """Read a clip with as many new frames as a chunk has, or `frames` counted from the present.

    An episode's start is preceded by itself, at rest.
    """
    offsets = [*(-age for age in config.seen_ages), *range(1, frames or config.frames)]
    index = np.maximum(place.present + np.array(offsets), 0)
    images = np.array(place.shard.array('images')[place.episode][index])
    return Clip(
        torch.from_numpy(images).flatten(1, 2), load_poses(place, index), config.history_frames
    )


def load_poses(place: ClipPlace, index: np.ndarray) -> PoseChunk:
    """Poses (1, frames) of the frames `index` of the place's episode.

    Where both are recorded, past frames hold the measured closedness, new ones the commanded.
    """
    position, quaternion, closedness = (
        torch.from_numpy(np.array(place.shard.array(name)[place.episode][index]))[None].float()
        for name in ('position', 'quaternion', 'closedness')
    )
    if place.shard.has('commanded'):
        commanded = torch.from_numpy(place.shard.array('commanded')[place.episode][index]).float()
        closedness = torch.where(torch.from_numpy(index > place.present), commanded, closedness)
    return PoseChunk(position, quaternion_to_matrix(quaternion), closedness)


def moment_of(place: ClipPlace, frames: int) -> str:
    """Which of `KINDS` the chunk of so many frames is that follows the place."""
    index = slice(place.present, place.present + frames)
    positions, closedness = (
        np.array(place.shard.array(name)[place.episode][index])
        for name in ('position', 'closedness')
    )
    return kind_of_motion(positions, closedness)


def episode_frames(shard: Shard) -> int:
    """Number of frames of each episode of a shard."""
    return int(shard.array('position').shape[1])


def graft(chunk: PoseChunk, other: PoseChunk) -> PoseChunk:
    """The motion of another chunk, begun at the present of this one."""
    position = chunk.position[:, :1] + other.position - other.position[:, :1]
    turn = other.rotation @ other.rotation[:, :1].mT
    return PoseChunk(position, turn @ chunk.rotation[:, :1], other.closedness)
