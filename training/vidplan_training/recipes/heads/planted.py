# SPDX-License-Identifier: Apache-2.0
"""Planted hallucinations: a patch of another imagination, painted into a view of this one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from vidplan_eval.phantom import RandomPhantoms
from vidplan_training.recipes.heads.rollouts import Rollouts

SMALLEST, LARGEST = 3, 8  # latent elements along a side; 24 to 64 pixels
# What differs by more than this, in the mean of the normalised channels, has been changed.
CHANGED = 0.3


def plant(
    rollouts: Rollouts, views: int, share: float, rng: np.random.Generator, apart: int = 1
) -> tuple[Rollouts, Tensor]:
    """Edit a share of the rollouts, in all their new frames.

    What is painted is the same place of the imagination of the rollout that is `apart` rows on,
    so that neither its sharpness nor the place reveals that it is foreign; only that it does not
    belong there does. Rows that are so far apart should be of different scenes.

    Returns:
        The rollouts, and where each was edited, bool (batch, rows, columns).
    """
    predicted = rollouts.inputs.predicted
    rows, columns = predicted.shape[-2:]
    masks = torch.zeros(len(predicted), rows, columns, dtype=torch.bool)
    for number in np.flatnonzero(rng.random(len(predicted)) < share):
        top, left, height, width = _rectangle(rows // views, columns, rng)
        top += int(rng.integers(views)) * (rows // views)
        masks[number, top : top + height, left : left + width] = True
    donor = predicted.roll(-apart, dims=0)
    where = masks.to(predicted.device)[:, None, None]
    inputs = replace(rollouts.inputs, predicted=torch.where(where, donor, predicted))
    return replace(rollouts, inputs=inputs), masks


def inject_moved_objects(rollouts: Rollouts, phantoms: RandomPhantoms, number: int) -> Rollouts:
    """Move things where they are not in a share of the rollouts, the same for a number."""
    inputs = rollouts.inputs
    predicted, _ = phantoms.inject(inputs.predicted, inputs.present, number)
    return replace(rollouts, inputs=replace(inputs, predicted=predicted))


def changed(before: Tensor, after: Tensor) -> Tensor:
    """Where latents (batch, frames, channels, rows, columns) differ, bool without channels."""
    return (after - before).abs().mean(2) > CHANGED


def overlap(found: Tensor, wanted: Tensor) -> Tensor:
    """Intersection over union of masks (batch, rows, columns), (batch,); NaN for two empty."""
    both = (found & wanted).flatten(1).sum(1).float()
    return both / (found | wanted).flatten(1).sum(1)


def _rectangle(
    rows: int, columns: int, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """Top, left, height and width of a patch inside a view."""
    height, width = (
        int(rng.integers(min(SMALLEST, size), min(LARGEST, size) + 1)) for size in (rows, columns)
    )
    top, left = rng.integers(rows - height + 1), rng.integers(columns - width + 1)
    return int(top), int(left), height, width
