# SPDX-License-Identifier: Apache-2.0
"""The uncertainty head follows the world model: errors of its rollouts on contact episodes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vidplan_core.heads.inputs import HeadInput
from vidplan_core.heads.network import head_precision
from vidplan_core.heads.uncertainty import UncertaintyHead
from vidplan_core.metrics.calibration import ErrorCalibration
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.world_model import WorldModel
from vidplan_eval.phantom import RandomPhantoms
from vidplan_training.data.latents import Clips
from vidplan_training.recipes.contact.data import Windows
from vidplan_training.recipes.contact.model import fed_back
from vidplan_training.recipes.heads.planted import inject_moved_objects, plant
from vidplan_training.recipes.heads.rollouts import SAMPLINGS, Rollouts
from vidplan_training.recipes.world_model.recipe import split_clip

HOPS = (0, 0, 2, 4)
EDITS, PHANTOMS = 0.15, 0.15


class ErrorSampler:
    """Rollouts with what came true, of random samplings and pasts; still ones included."""

    def __init__(self, model: WorldModel, windows: Windows, longer: Windows, seed: int) -> None:
        self.model, self._windows, self._longer = model, windows, longer
        self.views = len(model.config.views)
        self.phantoms = RandomPhantoms(PHANTOMS, self.views, seed)

    @torch.no_grad()
    def rollouts(self, rng: torch.Generator, rows: int) -> Rollouts:
        """Rollouts that share a sampling and how often they were fed back."""
        sampling = SAMPLINGS[int(torch.randint(len(SAMPLINGS), (), generator=rng))]
        hop = HOPS[int(torch.randint(len(HOPS), (), generator=rng))]
        seed = int(torch.randint(2**31, (), generator=rng))
        clips = self._clips(rng, rows, hop)
        parts = split_clip(clips, self.model.config.history_frames)
        context = Context(parts.history, parts.past)
        found = self.model.imagine(context, parts.chunk, sampling, seed)
        return Rollouts(HeadInput.of(found).detach(), parts.future[:, 1:])

    def _clips(self, rng: torch.Generator, rows: int, hop: int) -> Clips:
        if not hop:
            where = self._windows.where(self._windows.draw(rows, rng))
            return self._windows.clips(where, rng)[0]
        longer = self._longer
        where = longer.where(longer.draw(rows, rng), longer.frames + max(HOPS))
        return fed_back(self.model, longer, where, hop, rng)[0]

    def sample(self, iteration: int, rows: int, seed: int) -> Rollouts:
        """The rollouts of an iteration, shares of them edited."""
        rng = torch.Generator().manual_seed(1_000_003 * seed + iteration)
        rollouts = self.rollouts(rng, rows)
        numbers = np.random.default_rng([seed, iteration, 14])
        edited, _ = plant(rollouts, self.views, EDITS, numbers)
        return inject_moved_objects(edited, self.phantoms, iteration)


def error_loss(head: UncertaintyHead, rollouts: Rollouts) -> Tensor:
    """Cross-entropy of the bins of all errors; nothing reaches the world model."""
    with head_precision(rollouts.truth.device):
        return head.loss(rollouts.inputs.detach(), rollouts.errors)


@torch.no_grad()
def error_report(
    head: UncertaintyHead, samples: ErrorSampler, groups: int = 8
) -> dict[str, float]:
    """Log score and calibration on held-out rollouts."""
    calibration = ErrorCalibration(head.bins)
    for group in range(groups):
        rollouts = samples.rollouts(torch.Generator().manual_seed(group), 24)
        logits = head(rollouts.inputs).float().cpu()
        flat = logits.movedim(2, -1).flatten(0, -2)
        calibration.add(group, flat, rollouts.errors.flatten().cpu())
    found = calibration.result()
    names = ('nll', 'nll_marginal', 'threshold_ece', 'coverage_80')
    return {name: float(found[name].value) for name in names}
