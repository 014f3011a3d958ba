# SPDX-License-Identifier: Apache-2.0
"""Robots' episodes in the layout of the cell's, so that heads and evaluations read both alike.

Each episode becomes a shard of one: poses, latents where the data have such as the world model
takes, pictures where they have none, or where an evaluation will look at them. What a data set
says of an episode's task and success goes into the shard's notes.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vidplan_core.errors import ConfigError
from vidplan_core.geometry.se3 import matrix_to_quaternion
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_eval.datasets.episode import RecordedEpisode, Source, check_lengths
from vidplan_eval.datasets.errors import (
    NO_PICTURES,
    NOT_FINITE,
    TOO_SHORT,
    WRONG_SHAPE,
    EpisodeError,
)
from vidplan_training.data.latents import LATENTS, SUCCESS, TEXTS
from vidplan_training.data.readers.source import AnyEpisodes, open_source
from vidplan_training.data.readers.walk import Walk
from vidplan_training.engine.processes import Processes

IMAGES = 'images'
NOTES = 'meta.json'
PERIOD_TOLERANCE_S = 1e-3


def as_shards(settings: AnyEpisodes, config: WorldModelConfig) -> Path:
    """Folder of the episodes as shards: the cell's own, or one that is written now.

    Raises:
        ConfigError: there is no folder to write to, the data do not fit the world model, or not
            one episode of them does.
    """
    if settings.source == 'cell':
        return settings.data
    if settings.shards is None:
        raise ConfigError(
            f'say where the episodes of source={settings.source} shall be kept: set shards=FOLDER'
        )
    size = settings.size or (config.height, config.width)
    source = open_source(replace(settings, size=size))
    if abs(source.frame_period_s - config.frame_period_s) > PERIOD_TOLERANCE_S:
        raise ConfigError(
            f'{source.name} has a frame every {source.frame_period_s} s, the world model one '
            f'every {config.frame_period_s} s'
        )
    processes = Processes()
    if processes.main:
        for held_out in (False, True):
            _write_split(source, settings, config, held_out)
    processes.wait()
    return settings.shards


def _write_split(
    source: Source, settings: AnyEpisodes, config: WorldModelConfig, held_out: bool
) -> None:
    assert settings.shards is not None
    every = len(source.ids(held_out))
    apart = max(1, -(-every // settings.most_episodes))
    walk, count = Walk(source, held_out, shortest=config.frames, part=(0, apart)), 0
    for number, episode in enumerate(walk):
        part = 'val' if held_out else 'train'
        name = episode.id.rpartition('/')[2]
        folder = settings.shards / f'shard_{part}_{name.zfill(7)}'
        with walk.attempt():
            _write(folder, episode, config, number, held_out)
            count += 1
    if every and not count:
        raise ConfigError(f'{walk.summary()}; nothing is left')


def _write(
    folder: Path, episode: RecordedEpisode, config: WorldModelConfig, number: int, held_out: bool
) -> None:
    """Write a shard, unless it is complete."""
    if (folder / NOTES).exists():
        return
    arrays = _arrays(episode, config, held_out)
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f'{name}.npy', array[None])
    notes: dict[str, Any] = {
        'seeds': [number], 'held_out': held_out, TEXTS: [episode.text], SUCCESS: [episode.success],
        'views': list(config.views), 'frame_period_s': config.frame_period_s,
        'episode': episode.id,
    }  # fmt: skip
    begun = folder / f'{NOTES}.part'
    begun.write_text(json.dumps(notes) + '\n')
    begun.replace(folder / NOTES)


def _arrays(
    episode: RecordedEpisode, config: WorldModelConfig, held_out: bool
) -> dict[str, np.ndarray]:
    """What is kept of an episode; raises EpisodeError where nothing can be seen of it."""
    poses = episode.poses
    found = {
        'position': poses.position.numpy(),
        'quaternion': matrix_to_quaternion(poses.rotation).numpy(),
        'closedness': poses.closedness.numpy(),
    }
    latents = _latents(episode, config)
    if latents is not None:
        found[LATENTS] = latents
    if latents is None or (held_out and episode.pictures is not None):
        found[IMAGES] = _images(episode, config)
    check_lengths(episode.id, episode.file, {name: len(array) for name, array in found.items()})
    if episode.frames < 2:
        raise EpisodeError(episode.id, TOO_SHORT, episode.file, 'a single frame')
    return found


def _latents(episode: RecordedEpisode, config: WorldModelConfig) -> np.ndarray | None:
    """Latents as the world model takes them; None where there are none, or others."""
    if episode.latents is None:
        return None
    latents = episode.latents()
    wanted = (len(config.latent_mean), config.latent_height, config.latent_width)
    if tuple(latents.shape[1:]) != wanted:
        if episode.pictures is None:
            detail = f'latents {tuple(latents.shape[1:])}, the world model has {wanted}'
            raise EpisodeError(episode.id, WRONG_SHAPE, episode.file, detail)
        return None
    if not bool(latents.isfinite().all()):
        raise EpisodeError(episode.id, NOT_FINITE, episode.file, 'latents')
    return latents.half().numpy()


def _images(episode: RecordedEpisode, config: WorldModelConfig) -> np.ndarray:
    """Pictures uint8 (frames, views, height, width, 3)."""
    if episode.pictures is None:
        raise EpisodeError(episode.id, NO_PICTURES, episode.file, 'neither latents nor videos')
    pictures = np.stack(list(episode.pictures()))
    wanted = (len(config.views), config.height, config.width, 3)
    if pictures.shape[1:] != wanted:
        detail = f'pictures {pictures.shape[1:]}, the world model sees {wanted}'
        raise EpisodeError(episode.id, WRONG_SHAPE, episode.file, detail)
    return pictures
