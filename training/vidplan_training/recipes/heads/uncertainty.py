# SPDX-License-Identifier: Apache-2.0
"""The uncertainty head learns the errors of the world model's own rollouts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from vidplan_core.heads.network import HeadConfig, head_precision
from vidplan_core.heads.uncertainty import UncertaintyHead
from vidplan_core.metrics.calibration import ErrorCalibration
from vidplan_training.engine.batch_shard import WHOLE, BatchShard
from vidplan_training.recipes.heads.planted import inject_moved_objects, plant
from vidplan_training.recipes.heads.rollout_training import RolloutTraining
from vidplan_training.recipes.heads.settings import UncertaintyHeadRecipe


class UncertaintyTraining(RolloutTraining):
    """Loss and check of one training."""

    recipe: UncertaintyHeadRecipe

    def config(self) -> HeadConfig:
        """Sizes of a head for the world model, and its bins."""
        sizes, recipe = super().config(), self.recipe
        return replace(sizes, bins=recipe.bins, bin_count=recipe.bin_count)

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
