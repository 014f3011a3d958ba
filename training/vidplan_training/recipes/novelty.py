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
    STATISTICS,
    Novelty,
    NoveltyConfig,
    layouts,
    save_novelty,
    squares,
)
from vidplan_core.knobs import knob
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.autoencoders.build import load_autoencoder
from vidplan_core.world_model.checkpoint import world_model_config
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_training.data.dataset import Shard, split
from vidplan_training.data.latents import LATENTS, encode_shards
from vidplan_training.data.readers.source import AnyEpisodes
from vidplan_training.data.robot_shards import as_shards
from vidplan_training.engine.progress_log import ProgressLog

# Frames of a shard, by their episodes and their numbers in them.
ShardPlaces = tuple[Shard, np.ndarray, np.ndarray]
# Of a direction, in units of the normalised latents: of squares, and of layouts, of which there
# are fewer than of squares.
LEAST_VARIANCE, LEAST_LAYOUT = 1e-6, 1e-3


@dataclass(frozen=True, kw_only=True)
class NoveltyRecipe(AnyEpisodes):
    """Remember what training scenes look like, to notice strange ones."""

    models: Path = knob(Path('models/cell'), 'folder of autoencoder, world model, image tower')
    out: Path = knob(Path('outputs/novelty/model'), 'folder to write')
    bank: int = knob(NoveltyConfig.bank, 'remembered squares, of each size', low=1)
    patches: int = knob(2000, 'remembered embeddings of patches; 0 for none', low=0)
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
    places = random_places(training, recipe.frames, rng)
    novelty = remember(latents_at(places, config), config, recipe.bank, rng, recipe.drawn)
    usual = random_places(held_out, recipe.frames // 4, rng)
    patches = None
    if recipe.patches:
        scorer = SemanticScorer.load(recipe.models / 'semantic')
        seen = patches_at(places, scorer)
        novelty = with_patches(novelty, seen, recipe.patches, rng, recipe.drawn)
        patches = patches_at(usual, scorer)
    novelty = with_usual(novelty, latents_at(usual, config), patches)
    print(f'usual {novelty.config.usual}, spread {novelty.config.spread}')
    save_novelty(recipe.out, novelty)
    return 0


def random_places(
    found: Sequence[Shard], count: int, rng: np.random.Generator
) -> list[ShardPlaces]:
    """`count` random frames of all shards."""
    places = []
    for shard, share in zip(found, np.array_split(np.arange(count), len(found))):
        sizes = shard.array(LATENTS).shape[:2]
        episodes, frames = (rng.integers(size, size=len(share)) for size in sizes)
        places.append((shard, episodes, frames))
    return places


def latents_at(places: Sequence[ShardPlaces], config: WorldModelConfig) -> Tensor:
    """Normalised latents (count, channels, rows, columns)."""
    mean, std = (torch.tensor(v)[:, None, None] for v in (config.latent_mean, config.latent_std))
    parts = [
        torch.from_numpy(np.asarray(shard.array(LATENTS)[episodes, frames], np.float32))
        for shard, episodes, frames in places
    ]
    return (torch.cat(parts) - mean) / std


@torch.no_grad()
def patches_at(places: Sequence[ShardPlaces], scorer: SemanticScorer) -> Tensor:
    """What the image tower sees, (count, views, dim, rows, columns).

    Raises:
        ValueError: a shard has no pictures.
    """
    seen = []
    progress = ProgressLog('look (frames)', sum(len(frames) for _, _, frames in places))
    for shard, episodes, frames in places:
        if not shard.has('images'):
            raise ValueError(f'{shard.folder} has no pictures to look at; take patches=0')
        for pictures in shard.array('images')[episodes, frames]:
            views = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255.0
            seen.append(scorer.dense_views(views[None])[0])
            progress.update(len(seen))
    return torch.stack(seen)


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


def with_patches(
    novelty: Novelty, seen: Tensor, count: int, rng: np.random.Generator, drawn: int = 1
) -> Novelty:
    """The same memory, with patches of what is seen (batch, views, dim, rows, columns)."""
    found = seen.movedim(2, -1).flatten(0, -2)
    chosen = torch.from_numpy(rng.choice(len(found), min(drawn * count, len(found)), False))
    bank = found[chosen][far_apart(found[chosen], min(count, len(chosen)))]
    fresh = (0.0,) * (STATISTICS + 1), (1.0,) * (STATISTICS + 1)
    config = replace(
        novelty.config, patches=len(bank), width=bank.shape[1], usual=fresh[0], spread=fresh[1]
    )
    completed = Novelty(config)
    completed.load_state_dict({**novelty.state_dict(), 'bank_patches': bank})
    return completed


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


def with_usual(novelty: Novelty, latents: Tensor, patches: Tensor | None = None) -> Novelty:
    """The same memory, with what is usual in scenes that it does not hold."""
    seen = [None] * len(latents) if patches is None else patches[:, None]
    parts = zip(latents[:, None], seen, strict=True)
    found = torch.cat([novelty.statistics(part, look) for part, look in parts])
    usual, spread = (tuple(v.tolist()) for v in (found.mean(0), found.std(0)))
    completed = Novelty(replace(novelty.config, usual=usual, spread=spread))
    completed.load_state_dict(novelty.state_dict())
    return completed
