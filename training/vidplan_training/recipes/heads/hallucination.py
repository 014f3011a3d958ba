# SPDX-License-Identifier: Apache-2.0
"""The hallucination head learns where rollouts of the world model have been edited."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from vidplan_core.heads.anomaly.hallucination import WRONG, HallucinationHead
from vidplan_core.heads.network import head_precision
from vidplan_training.engine.batch_shard import WHOLE, BatchShard
from vidplan_training.recipes.heads.planted import (
    changed,
    inject_moved_objects,
    overlap,
    plant,
)
from vidplan_training.recipes.heads.rollout_training import RolloutTraining
from vidplan_training.recipes.heads.rollouts import Rollouts
from vidplan_training.recipes.heads.settings import HallucinationHeadRecipe

# Share of places that are wrong before anything is known.
USUAL = 0.02


class HallucinationTraining(RolloutTraining):
    """Loss and check of one training."""

    recipe: HallucinationHeadRecipe

    def prepare(self, head: HallucinationHead) -> None:
        """Let a fresh head begin with the usual share of wrong places."""
        assert head.out.bias is not None
        torch.nn.init.constant_(head.out.bias, math.log(USUAL / (1.0 - USUAL)))

    def edited(self, rollouts: Rollouts, number: int) -> tuple[Rollouts, Tensor]:
        """Rollouts of which shares are edited, and where, bool (batch, frames, rows, columns)."""
        rng = np.random.default_rng([self.seed, number, 14])
        planted, masks = plant(rollouts, self.views, self.recipe.edits, rng)
        moved = inject_moved_objects(planted, self.phantoms, number)
        strange = changed(planted.inputs.predicted, moved.inputs.predicted)
        return moved, strange | masks[:, None].to(strange.device)

    def loss(
        self, head: HallucinationHead, iteration: int, batch: int, shard: BatchShard = WHOLE
    ) -> Tensor:
        """Cross-entropy of a batch; nothing reaches the world model."""
        rollouts, wrong = self.edited(self.pool.batch(iteration, batch), iteration)
        rows = shard.rows(batch)
        with head_precision(rollouts.truth.device):
            return head.loss(rollouts.rows(rows).inputs.detach(), wrong[rows])

    @torch.no_grad()
    def report(self, head: HallucinationHead) -> str:
        """How well planted patches of held-out rollouts are found, and what is found in others."""
        rng = np.random.default_rng([self.seed, 15])
        planted, masks = plant(self.check, self.views, 1.0, rng)
        with head_precision(self.check.truth.device):
            found, usual = (
                head.probability(rollouts.inputs).mean(1) > WRONG
                for rollouts in (planted, self.check)
            )
        covered = overlap(found.cpu(), masks).mean()
        return (
            f'held-out planted patches: overlap {float(covered):.3f}  '
            f'called wrong without: {float(usual.float().mean()):.4f} of the places'
        )
