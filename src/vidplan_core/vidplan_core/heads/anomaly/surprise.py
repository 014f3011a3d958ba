# SPDX-License-Identifier: Apache-2.0
"""How surprising what came is, beside what was imagined of it."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from vidplan_core.heads.inputs import latents_of_views

# A part is a share of a view's squares of so many latents a side, those that surprise the most.
SIDE, PART = 3, 0.05


def view_surprise(nats: Tensor, views: int) -> tuple[Tensor, Tensor]:
    """How surprising views are as a whole, and each in its worst part, (batch, views), in nats.

    As a whole, 1 is what a calibrated head expects. A thing that moves by itself changes a part
    only, in which the mean over a view would drown it.

    Args:
        nats: of every element, (batch, channels, views * rows, columns), as
            `UncertaintyHead.improbability` gives them.
        views: that lie below each other.
    """
    places = latents_of_views(nats, views).mean(2)
    squares = functional.avg_pool2d(places, SIDE, stride=1).flatten(2)
    worst = max(1, round(PART * squares.shape[2]))
    return places.mean((2, 3)), squares.topk(worst, dim=2).values.mean(2)
