# SPDX-License-Identifier: Apache-2.0
"""What trainings on the world model's own rollouts share: their data, in pools."""

from __future__ import annotations

import numpy as np

from vidplan_core.heads.inputs import HeadInput
from vidplan_core.heads.network import HeadConfig
from vidplan_core.world_model.world_model import WorldModel
from vidplan_eval.phantom import RandomPhantoms
from vidplan_training.data.dataset import split
from vidplan_training.data.latents import ClipDataset, Statistics, encode_shards
from vidplan_training.data.robot_shards import as_shards
from vidplan_training.recipes.heads.rollouts import (
    HOPS,
    SAMPLINGS,
    Pool,
    PoolConfig,
    Rollouts,
    frames_needed,
    imagine_ahead,
)
from vidplan_training.recipes.heads.settings import RolloutHeadRecipe


def rollouts_of(
    model: WorldModel, data: ClipDataset, rng: np.random.Generator, group: int
) -> Rollouts:
    """A group of rollouts with a sampler, hops and noise of their own."""
    hops = HOPS[rng.integers(len(HOPS))]
    sampling = SAMPLINGS[rng.integers(len(SAMPLINGS))]
    clips = data.clips(rng.integers(len(data), size=group))
    imagination, truth = imagine_ahead(model, clips, hops, sampling, int(rng.integers(2**31)))
    return Rollouts(HeadInput.of(imagination).detach(), truth)


class RolloutTraining:
    """Rollouts to learn from, and held-out ones to check with."""

    def __init__(self, model: WorldModel, recipe: RolloutHeadRecipe) -> None:
        """Encode what is not encoded yet and load all latents."""
        self.model, self.recipe, self.seed = model, recipe, recipe.seed
        self.views = len(model.config.views)
        self.phantoms = RandomPhantoms(recipe.phantoms, self.views, recipe.seed)
        folder = as_shards(recipe, model.config)
        training, held_out = split(folder, False), split(folder, True)
        encode_shards(training + held_out, model.autoencoder)
        sizes = (model.config.seen_ages, frames_needed(model), Statistics.of(model.config))
        data, other = ClipDataset(training, *sizes), ClipDataset(held_out, *sizes)
        pool = PoolConfig(max(recipe.pool, recipe.batch))
        self.pool = Pool(lambda rng, n: rollouts_of(model, data, rng, n), pool, self.seed)
        checked = PoolConfig(recipe.checked, group=min(8, recipe.checked))
        check = Pool(lambda rng, n: rollouts_of(model, other, rng, n), checked, self.seed + 1)
        self.check = check.fill(0)

    def config(self) -> HeadConfig:
        """Sizes of a head for the world model."""
        check = self.check.inputs
        frames, channels, rows, columns = check.predicted.shape[1:]
        return HeadConfig(
            channels, frames, check.actions.shape[-1], rows, columns, widths=self.recipe.widths
        )
