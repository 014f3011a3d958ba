# SPDX-License-Identifier: Apache-2.0
"""Episodes of the simulated cell, as `vidplan-train collect` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_training.data.dataset import Shard, split
from vidplan_training.data.latents import LATENTS, LONGEST_STEP_M
from vidplan_eval.datasets.episode import RecordedEpisode, Picture, Poses, check_lengths, numbers
from vidplan_eval.datasets.errors import JUMP, MISSING_FILE, UNREADABLE, EpisodeError
from vidplan_eval.datasets.video import fit


class CellSource:
    """Shards of episodes; every tenth shard is held out."""

    def __init__(self, data: Path, size: tuple[int, int] | None = None) -> None:
        self.name = f'cell episodes in {data}'
        self._size = size
        self._shards: dict[bool, list[Shard]] = {held: split(data, held) for held in (True, False)}
        meta = self._shards[False][0].meta
        self.views = tuple(meta.get('views', default_layout().views))
        self.frame_period_s = float(meta.get('frame_period_s', 0.2))

    def ids(self, held_out: bool) -> list[str]:
        """Shard and row, such as `shard_0003/12`."""
        return [
            f'{shard.folder.name}/{row}'
            for shard in self._shards[held_out]
            for row in range(shard.episodes)
        ]

    def read(self, episode: str) -> RecordedEpisode:
        """See `Source`."""
        folder, row = episode.split('/')
        every = [*self._shards[False], *self._shards[True]]
        shard = next(s for s in every if s.folder.name == folder)
        poses = _poses(shard, int(row), episode)
        has_latents = shard.has(LATENTS)
        has_images = shard.has('images')
        return RecordedEpisode(
            id=episode,
            file=shard.folder,
            poses=poses,
            frame_period_s=self.frame_period_s,
            pictures=partial(self._pictures, shard, int(row)) if has_images else None,
            latents=partial(_latents, shard, int(row)) if has_latents else None,
        )

    def _pictures(self, shard: Shard, row: int) -> Iterator[Picture]:
        for frame in shard.array('images')[row]:
            yield np.stack([fit(np.asarray(view), self._size) for view in frame])


def _poses(shard: Shard, row: int, episode: str) -> Poses:
    arrays = {
        name: numbers(_row(shard, name, row, episode), episode, shard.folder, name, width)
        for name, width in (('position', 3), ('quaternion', 4), ('closedness', None))
    }
    check_lengths(episode, shard.folder, {name: len(array) for name, array in arrays.items()})
    steps = np.linalg.norm(np.diff(arrays['position'], axis=0), axis=1)
    if len(steps) and steps.max() > LONGEST_STEP_M:
        raise EpisodeError(
            episode, JUMP, shard.folder, f'{steps.max():.2f} m from a frame to the next'
        )
    position, quaternion, closedness = (torch.from_numpy(a).float() for a in arrays.values())
    return Poses(position, quaternion_to_matrix(quaternion), closedness)


def _row(shard: Shard, name: str, row: int, episode: str) -> np.ndarray:
    file = shard.folder / f'{name}.npy'
    try:
        return np.asarray(shard.array(name)[row])
    except FileNotFoundError as error:
        raise EpisodeError(episode, MISSING_FILE, file, 'no such array') from error
    except (ValueError, IndexError, OSError) as error:
        raise EpisodeError(episode, UNREADABLE, file, str(error)) from error


def _latents(shard: Shard, row: int) -> Tensor:
    return torch.from_numpy(np.array(shard.array(LATENTS)[row]))
