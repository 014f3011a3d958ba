# SPDX-License-Identifier: Apache-2.0
"""Remember what training scenes look like, so that strange ones are noticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidplan_core.heads.anomaly.novelty import (
    SIDES,
    Novelty,
    NoveltyConfig,
    layouts,
    save_novelty,
    squares,
)
from vidplan_core.knobs import knob
from vidplan_core.world_model.autoencoders.build import load_autoencoder
from vidplan_core.world_model.checkpoint import world_model_config
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_training.data.dataset import Shard, split
from vidplan_training.data.latents import LATENTS, encode_shards
from vidplan_training.data.readers.source import AnyEpisodes
from vidplan_training.data.robot_shards import as_shards

# Of a direction, in units of the normalised latents: of squares, and of layouts, of which there
# are fewer than of squares.
LEAST_VARIANCE, LEAST_LAYOUT = 1e-6, 1e-3


@dataclass(frozen=True, kw_only=True)
class NoveltyRecipe(AnyEpisodes):
    """Remember what training scenes look like, to notice strange ones."""

    models: Path = knob(Path('models/cell'), 'folder of the autoencoder and the world model')
    out: Path = knob(Path('outputs/novelty/model'), 'folder to write')
    bank: int = knob(NoveltyConfig.bank, 'remembered squares, of each size', low=1)
    drawn: int = knob(10, 'times as many are drawn, of which those far apart are kept', low=1)
    frames: int = knob(2000, 'that they are taken from', low=4)
    seed: int = knob(0, 'of the choice')


def run(recipe: NoveltyRecipe) -> int:
    """Fill the memory, find what is usual on held-out episodes, write both."""
    config = world_model_config(recipe.models / 'world_model')
    folder = as_shards(recipe, config)
    training, held_out = split(folder, False), split(folder, True)
    encode_shards(training + held_out, load_autoencoder(recipe.models / 'autoencoder'))
    rng = np.random.default_rng([recipe.seed, 31])
    seen = random_latents(training, config, recipe.frames, rng)
    novelty = remember(seen, config, recipe.bank, rng, recipe.drawn)
    novelty = with_usual(novelty, random_latents(held_out, config, recipe.frames // 4, rng))
    print(f'usual {novelty.config.usual}, spread {novelty.config.spread}')
    save_novelty(recipe.out, novelty)
    return 0


def random_latents(
    found: Sequence[Shard], config: WorldModelConfig, count: int, rng: np.random.Generator
) -> Tensor:
    """Normalised latents (count, channels, rows, columns) of random frames of all shards."""
    mean, std = (torch.tensor(v)[:, None, None] for v in (config.latent_mean, config.latent_std))
    parts = []
    for shard, share in zip(found, np.array_split(np.arange(count), len(found))):
        latents = shard.array(LATENTS)
        episodes, frames = (rng.integers(size, size=len(share)) for size in latents.shape[:2])
        parts.append(torch.from_numpy(np.asarray(latents[episodes, frames], np.float32)))
    return (torch.cat(parts) - mean) / std


def remember(
    latents: Tensor, config: WorldModelConfig, bank: int, rng: np.random.Generator, drawn: int = 1
) -> Novelty:
    """A memory of squares of latents (batch, channels, rows, columns): of `drawn` times as many
    that are drawn at random, or of all there are, those that are far apart.

    Raises:
        ValueError: the latents have fewer squares than are to be remembered.
    """
    views = len(config.views)
    novelty = Novelty(NoveltyConfig(latents.shape[1], views, bank))
    for side in SIDES:
        found = squares(latents, views, side).flatten(0, 1)
        if len(found) < bank:
            raise ValueError(f'{len(found)} squares are too few to remember {bank}')
        mean, whitening = whitened(found)
        count = min(drawn * bank, len(found))
        chosen = torch.from_numpy(rng.choice(len(found), count, replace=False))
        novelty.get_buffer(f'mean_{side}').copy_(mean)
        novelty.get_buffer(f'whitening_{side}').copy_(whitening)
        white = novelty.white(found[chosen], side)
        novelty.get_buffer(f'bank_{side}').copy_(white[far_apart(white, bank)])
    for view, found in enumerate(layouts(latents, views).unbind(1)):
        mean, whitening = whitened(found, LEAST_LAYOUT)
        novelty.get_buffer('mean_layout')[view].copy_(mean)
        novelty.get_buffer('whitening_layout')[view].copy_(whitening)
    return novelty


def far_apart(rows: Tensor, count: int) -> Tensor:
    """Numbers of `count` rows (all, size), each the farthest from those before (Gonzalez 1985).

    A memory of rows at random is one of the table; a thing in it is rare (PatchCore's coreset).
    """
    if count == len(rows):
        return torch.arange(count)
    nearest, chosen = torch.full_like(rows[:, 0], torch.inf), [0]
    while len(chosen) < count:
        nearest = torch.minimum(nearest, (rows - rows[chosen[-1]]).square().sum(1))
        chosen.append(int(nearest.argmax()))
    return torch.tensor(chosen)


def whitened(found: Tensor, least: float = LEAST_VARIANCE) -> tuple[Tensor, Tensor]:
    """Mean (size,) and whitening (size, size) of rows (count, size)."""
    mean = found.mean(0)
    apart = found - mean
    values, vectors = torch.linalg.eigh(apart.T @ apart / len(apart))
    return mean, vectors * values.clamp_min(least).rsqrt()


def with_usual(novelty: Novelty, latents: Tensor) -> Novelty:
    """The same memory, with what is usual in scenes that it does not hold."""
    found = torch.cat([novelty.statistics(part) for part in latents.split(16)])
    usual, spread = (tuple(v.tolist()) for v in (found.mean(0), found.std(0)))
    completed = Novelty(replace(novelty.config, usual=usual, spread=spread))
    completed.load_state_dict(novelty.state_dict())
    return completed
