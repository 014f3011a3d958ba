# SPDX-License-Identifier: Apache-2.0
"""The uncertainty head learns the errors of the world model's own rollouts."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vidplan_core.heads.inputs import HeadInput
from vidplan_core.heads.network import HeadConfig, head_precision
from vidplan_core.heads.uncertainty import UncertaintyHead
from vidplan_core.metrics.calibration import ErrorCalibration
from vidplan_core.world_model.world_model import WorldModel
from vidplan_eval.phantom import RandomPhantoms
from vidplan_training.data.dataset import split
from vidplan_training.data.latents import ClipDataset, Statistics, encode_shards
from vidplan_training.data.robot_shards import as_shards
from vidplan_training.engine.batch_shard import WHOLE, BatchShard
from vidplan_training.recipes.heads.planted import inject_moved_objects, plant
from vidplan_training.recipes.heads.rollouts import (
    HOPS,
    SAMPLINGS,
    Pool,
    PoolConfig,
    Rollouts,
    frames_needed,
    imagine_ahead,
)
from vidplan_training.recipes.heads.settings import UncertaintyHeadRecipe


def rollouts_of(
    model: WorldModel, data: ClipDataset, rng: np.random.Generator, group: int
) -> Rollouts:
    """A group of rollouts with a sampler, hops and noise of their own."""
    hops = HOPS[rng.integers(len(HOPS))]
    sampling = SAMPLINGS[rng.integers(len(SAMPLINGS))]
    clips = data.clips(rng.integers(len(data), size=group))
    imagination, truth = imagine_ahead(model, clips, hops, sampling, int(rng.integers(2**31)))
    return Rollouts(HeadInput.of(imagination).detach(), truth)


class UncertaintyTraining:
    """Data, loss and check of one training."""

    def __init__(self, model: WorldModel, recipe: UncertaintyHeadRecipe) -> None:
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
            channels, frames, check.actions.shape[-1], rows, columns,
            widths=self.recipe.widths, bins=self.recipe.bins, bin_count=self.recipe.bin_count,
        )  # fmt: skip

    def prepare(self, head: UncertaintyHead) -> None:
        """Let a fresh head begin with the histogram of all errors, for every element."""
        numbers = head.bins.index(self.pool.fill(0).errors)
        counts = torch.bincount(numbers.flatten(), minlength=head.bins.count).float() + 1.0
        head.begin_with((counts / counts.sum()).log())

    def loss(
        self, head: UncertaintyHead, iteration: int, batch: int, shard: BatchShard = WHOLE
    ) -> Tensor:
        """Cross-entropy of a batch, shares of it edited; nothing reaches the world model."""
        rng = np.random.default_rng([self.seed, iteration, 14])
        rollouts, _ = plant(self.pool.batch(iteration, batch), self.views, self.recipe.edits, rng)
        rollouts = inject_moved_objects(rollouts, self.phantoms, iteration)
        rollouts = rollouts.rows(shard.rows(batch))
        with head_precision(rollouts.truth.device):
            return head.loss(rollouts.inputs.detach(), rollouts.errors)

    @torch.no_grad()
    def report(self, head: UncertaintyHead) -> str:
        """Log score of the held-out rollouts against their histogram, and calibration."""
        with head_precision(self.check.truth.device):
            logits = head(self.check.inputs).float()
        calibration = ErrorCalibration(head.bins)
        calibration.add(0, logits.movedim(2, -1).flatten(0, -2), self.check.errors.flatten())
        found = calibration.result()
        return (
            f'held-out nll {found["nll"].value:.4f} (marginal {found["nll_marginal"].value:.4f}, '
            f'density {found["nll_density"].value:.4f})  '
            f'threshold ece {found["threshold_ece"].value:.4f}  '
            f'80 % interval holds {found["coverage_80"].value:.3f}'
        )
