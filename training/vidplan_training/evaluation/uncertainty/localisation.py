# SPDX-License-Identifier: Apache-2.0
"""Where a head says that something is wrong, and how well that covers what was edited."""

from __future__ import annotations

import torch
from torch import Tensor

from vidplan_core.heads.distribution.estimate import ErrorEstimate

# Of the map's places: the share that decides how uncertain a whole scene is.
WORST = 0.1


def error_map(estimate: ErrorEstimate) -> Tensor:
    """Expected error of every place, (batch, rows, columns): mean over frames and channels."""
    return estimate.expected_error.mean(dim=(1, 2))


def suspicious(places: Tensor) -> Tensor:
    """Places above the middle between a map's median and its largest value, bool.

    Args:
        places: maps (batch, rows, columns).
    """
    flat = places.flatten(1)
    threshold = 0.5 * (flat.median(dim=1).values + flat.amax(dim=1))
    return places > threshold[:, None, None]


def scene_entropy(estimate: ErrorEstimate) -> Tensor:
    """One number per imagination, (batch,): mean entropy of its most uncertain places."""
    places = estimate.entropy.mean(dim=(1, 2)).flatten(1)
    worst = max(1, round(WORST * places.shape[1]))
    return torch.topk(places, worst, dim=1).values.mean(dim=1)
