# SPDX-License-Identifier: Apache-2.0
"""Uncertainty of scored frames, pooled to where the target seems to be."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vidplan_core.heads.bundle import UncertaintyEstimator
from vidplan_core.planner.objective.frames import ScoredFrames
from vidplan_core.world_model.world_model import Imagination

# Sharpness of a relevancy map as a weighting of its view: patches half as far above the map's
# mean as its peak count a sixteenth.
REGION_POWER = 4


def frame_uncertainty(head: UncertaintyEstimator | None, frames: ScoredFrames) -> Tensor | None:
    """Uncertainty of each frame, (batch,) in [0, 1]; None where nobody knows."""
    if head is None or frames.imagination is None:
        return None
    if frames.situation.grounding is not None:
        return _where_grounded(head, frames.imagination, frames)
    if frames.sighting is None:
        return None
    entropy = head.predict_error(frames.imagination, list(frames.numbers)).entropy.flatten(0, 1)
    if frames.chosen:
        apart = entropy.unflatten(-2, (len(frames.locator.cameras), -1))
        entropy = apart[..., list(frames.chosen), :, :].flatten(-3, -2)
    evidence = frames.looking.evidence(frames.sighting, frames.situation.target)
    return over_views(pool_uncertainty(entropy, frames.sighting.maps), evidence)


def _where_grounded(
    head: UncertaintyEstimator, imagination: Imagination, frames: ScoredFrames
) -> Tensor:
    """Uncertainty where the present shows target or destination; the mean of the views.

    No picture needs to be decoded for it.
    """
    grounding = frames.situation.grounding
    assert grounding is not None
    entropy = head.predict_error(imagination, list(frames.numbers)).entropy
    views = len(frames.locator.cameras)
    maps = grounding.maps.amax(1).unflatten(1, (views, -1)).to(entropy)
    shared = maps[:, None].expand(*entropy.shape[:2], -1, -1, -1).flatten(0, 1)
    return pool_uncertainty(entropy.flatten(0, 1), shared).mean(-1)


def pool_uncertainty(uncertainty: Tensor, relevancy: Tensor) -> Tensor:
    """Uncertainty of each view, (..., views): where the target seems to be, or overall if higher.

    A phantom is a few latents among hundreds, so the mean over a view hardly moves with it; but
    a score rises through the patches that look like the target, so there uncertainty counts
    fully. The gripper's surroundings get no weight of their own: they are uncertain in every
    candidate that moves and would hide what differs.

    Args:
        uncertainty: (..., channels, views*rows, columns) in [0, 1], views along the rows.
        relevancy: maps (..., views, patch rows, patch columns).
    """
    views = relevancy.shape[-3]
    cells = uncertainty.mean(-3).unflatten(-2, (views, -1))
    weights = F.adaptive_avg_pool2d(region_weights(relevancy).flatten(0, -4), cells.shape[-2:])
    weights = weights.reshape(cells.shape) + 1e-6
    at_target = (weights * cells).sum((-2, -1)) / weights.sum((-2, -1))
    return torch.maximum(at_target, cells.mean((-2, -1)))


def region_weights(relevancy: Tensor) -> Tensor:
    """Weights in [0, 1] of the patches of maps (..., rows, columns): 1 at the peak."""
    mean = relevancy.mean((-2, -1), keepdim=True)
    above = (relevancy - mean).clamp_min(0.0)
    return (above / above.amax((-2, -1), keepdim=True).clamp_min(1e-6)) ** REGION_POWER


def over_views(uncertainty: Tensor, evidence: Tensor) -> Tensor:
    """Uncertainty of each frame, (...,): of the views its score rests on, or of all if higher.

    Args:
        uncertainty: of each view, (..., views).
        evidence: what each view contributes to where the target is, (..., views), at least 0.
    """
    share = evidence + 1e-6
    rests_on = (share * uncertainty).sum(-1) / share.sum(-1)
    return torch.maximum(rests_on, uncertainty.mean(-1))
