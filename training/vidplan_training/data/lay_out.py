# SPDX-License-Identifier: Apache-2.0
"""Lay a robot's episodes out as the cell's are, so that every recipe of the cell takes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidplan_core.errors import ConfigError
from vidplan_core.knobs import knob
from vidplan_core.world_model.checkpoint import world_model_config
from vidplan_training.data.dataset import split
from vidplan_training.data.readers.source import AnyEpisodes
from vidplan_training.data.robot_shards import as_shards


@dataclass(frozen=True, kw_only=True)
class ShardsSettings(AnyEpisodes):
    """Lay a robot's episodes out as the cell's are."""

    models: Path = knob(Path('models/cell'), 'models folder whose world model says views and size')


def run(settings: ShardsSettings) -> int:
    """Write the shards that are not there yet, and say how many there are.

    Raises:
        ConfigError: the data are the cell's own, or do not fit the world model.
    """
    if settings.source == 'cell':
        raise ConfigError('the data are laid out already: say --source lerobot or ctrl-world')
    folder = as_shards(settings, world_model_config(settings.models / 'world_model'))
    training, held_out = len(split(folder, held_out=False)), len(split(folder, held_out=True))
    print(f'{folder}: {training} episodes to train with, {held_out} held out')
    return 0
