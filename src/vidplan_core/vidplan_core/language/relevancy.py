# SPDX-License-Identifier: Apache-2.0
"""From image-text similarity to a map in [0, 1], and from the map to a place in the view."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Localisation:
    """Where a phrase is in each of a batch of views.

    Attributes:
        peak: highest relevancy, in [0, 1], (batch,).
        centroid: soft centre of the strongest region as x, y in [0, 1] of the view, from the top
            left corner, (batch, 2). Meaningful only where `found`.
        spread: root mean square distance from the centroid, in view widths, (batch,).
        found: whether the peak reaches the threshold, bool, (batch,).
    """

    peak: Tensor
    centroid: Tensor
    spread: Tensor
    found: Tensor


@dataclass(frozen=True)
class Centring:
    """How a relevancy map becomes a centroid.

    Patches count with `max(relevancy - floor, 0) ** power`, and only those connected to the peak
    through patches of at least `connected` times its height (plus one ring of partly covered
    patches), so that a second blob elsewhere does not pull.
    """

    floor: float = 0.5
    power: float = 1.0
    connected: float = 0.5


def relevancy_logits(positive: Tensor, negatives: Tensor, scale: Tensor | float) -> Tensor:
    """Return the logit of the relevancy: the margin over the best-matching neutral phrase.

    The minimum over negatives of softmax(scale [positive, negative]) is the sigmoid of this.

    Args:
        positive: cosine similarity with the phrase, (...).
        negatives: cosine similarity with each neutral phrase, (..., negatives).
        scale: inverse temperature; 10 in LERF, learned in models trained for it.
    """
    return scale * (positive - negatives.amax(dim=-1))


def localise(relevancy: Tensor, threshold: float, centring: Centring) -> Localisation:
    """Find the strongest region of each map; peak, centroid and spread are differentiable.

    Args:
        relevancy: (batch, rows, columns) in [0, 1].
        threshold: peak from which on the phrase counts as found.
        centring: how patches are weighted.
    """
    with torch.no_grad():
        region = strongest_region(relevancy, centring)
        seed = _one_hot_peak(relevancy)
    weights = region * (relevancy - centring.floor).clamp(min=0) ** centring.power
    weights = weights + 1e-6 * seed  # a map without any weight is centred on its peak
    weights = weights / weights.sum(dim=(-2, -1), keepdim=True)
    x, y = _patch_centres(relevancy)
    centre_x, centre_y = (weights * x).sum(dim=(-2, -1)), (weights * y).sum(dim=(-2, -1))
    aspect = relevancy.shape[-2] / relevancy.shape[-1]  # patches are square in the view
    squared = (x - centre_x[:, None, None]) ** 2 + (aspect * (y - centre_y[:, None, None])) ** 2
    peak = relevancy.amax(dim=(-2, -1))
    return Localisation(
        peak=peak,
        centroid=torch.stack((centre_x, centre_y), dim=-1),
        spread=((weights * squared).sum(dim=(-2, -1)) + 1e-12).sqrt(),
        found=peak >= threshold,
    )


def strongest_region(relevancy: Tensor, centring: Centring) -> Tensor:
    """Return 1 on the patches connected to the peak and on the ring around them, else 0.

    A flood fill by repeated dilation: batched, and without a round trip to the host.
    """
    peak = relevancy.amax(dim=(-2, -1), keepdim=True)
    open_patches = (relevancy >= centring.connected * peak).to(relevancy)
    region = _one_hot_peak(relevancy)
    for _ in range(sum(relevancy.shape[-2:])):
        region = _dilate(region) * open_patches
    return _dilate(region)


def scene_peak(peak: Tensor) -> Tensor:
    """Combine the peaks of one scene's views, (..., views) -> (...): the view that sees it best.

    An object may be out of sight in some views, so presence is judged by the maximum.
    """
    return peak.amax(dim=-1)


def _dilate(region: Tensor) -> Tensor:
    return F.max_pool2d(region[:, None], kernel_size=3, stride=1, padding=1)[:, 0]


def _one_hot_peak(relevancy: Tensor) -> Tensor:
    flat = relevancy.flatten(1)
    seed = torch.zeros_like(flat).scatter_(1, flat.argmax(dim=1, keepdim=True), 1.0)
    return seed.view_as(relevancy)


def _patch_centres(relevancy: Tensor) -> tuple[Tensor, Tensor]:
    """Return x (1, 1, columns) and y (1, rows, 1) of the patch centres in [0, 1]."""
    rows, columns = relevancy.shape[-2:]
    x = (torch.arange(columns, device=relevancy.device) + 0.5) / columns
    y = (torch.arange(rows, device=relevancy.device) + 0.5) / rows
    return x.to(relevancy)[None, None, :], y.to(relevancy)[None, :, None]
