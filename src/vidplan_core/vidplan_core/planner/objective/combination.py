# SPDX-License-Identifier: Apache-2.0
"""The hierarchical reward of imagined frames: what is seen and hoped for, as far as trusted.

A frame's score is `w(h) r_s - lambda d(c, c_r)`, and the value head's `V` beside it. The paper
weights the whole bracket, `w (r_s - lambda d)`; where that is negative a smaller `w` would
*raise* the score. Here doubt acts through three functions of the uncertainty `h` that never rise
with it, so more uncertainty never raises a score, whatever the sign of the rest:

    trusted relevancy             w(h) r_s, both factors at least 0
    believed distance and value   good news is discounted by w(h), bad news is not
    penalty                       -rho e(h)

News is what differs from what is known before moving: the distance to the remembered target, and
the value of coming to rest. A value that is high already would otherwise be at stake in every
motion, and the arm would hover where a success is near enough.

Everything is batched, differentiable and stays on its device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

# Sharpness of a relevancy map as a weighting of its view: patches half as far above the map's
# mean as its peak count a sixteenth.
REGION_POWER = 4


@dataclass(frozen=True)
class Doubt:
    """How uncertainty lowers scores.

    Attributes:
        usual: uncertainty up to which an imagination is fully trusted, in [0, 1].
        discount: k of w(h) = exp(-k e(h)), with e(h) = max(h - usual, 0).
        weight: rho, subtracted from a score per unit of e(h).
    """

    usual: float = 0.0
    discount: float = 0.0
    weight: float = 0.0

    def excess(self, uncertainty: Tensor) -> Tensor:
        """e(h), of any shape."""
        return (uncertainty - self.usual).clamp_min(0.0)

    def trust(self, uncertainty: Tensor) -> Tensor:
        """w(h) in (0, 1], of any shape; 1 up to `usual`, falling above."""
        return torch.exp(-self.discount * self.excess(uncertainty))

    def penalty(self, uncertainty: Tensor) -> Tensor:
        """What is subtracted, rho e(h), of any shape, at least 0."""
        return self.weight * self.excess(uncertainty)


def believed(prior: Tensor, evidence: Tensor, trust: Tensor) -> Tensor:
    """What to believe of a score, known `prior` to imagining and with imagined `evidence`.

    An imagination that makes things better counts as far as it is trusted; one that makes them
    worse counts in full. Never falls with `trust`, equals the evidence at a trust of 1.
    """
    change = evidence - prior
    return prior + trust * change.clamp_min(0.0) + change.clamp_max(0.0)


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


def best_frame(scores: Tensor, softness: float = 0.0) -> tuple[Tensor, Tensor]:
    """A candidate's score and its best frame, both (candidates,), of scores (candidates, frames).

    With a `softness` above 0 (in units of score) the maximum is the soft one,
    s log(mean(exp(x / s))), through which gradients reach every frame that comes near the best.
    """
    highest, frame = scores.max(dim=1)
    if softness <= 0.0:
        return highest, frame
    frames = scores.new_tensor(float(scores.shape[1]))
    return softness * (torch.logsumexp(scores / softness, dim=1) - frames.log()), frame
