# SPDX-License-Identifier: Apache-2.0
"""What the semantic scorer is trained to do: find phrases in patches, captions in images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from vidplan_core.language.semantic import negatives_for

MAX_SCALE = 50.0


def patch_targets(coverage: Tensor) -> Tensor:
    """Return the relevancy that patches should have: the root of twice the covered fraction.

    Neutral (0.5) then means an eighth covered, so that things smaller than a patch are found at
    all, and the square of the relevancy weighs patches nearly by area: the centroid of such a
    map is within 1.4 pixels of the object's own in 95 % of the cell's views.
    """
    return (2.0 * coverage).clamp(max=1.0).sqrt()


def neutral_mask(phrases: Sequence[str], negatives: Sequence[str]) -> Tensor:
    """Return which neutral phrases each phrase is compared with, bool (phrases, negatives)."""
    return torch.tensor(
        [[text in negatives_for(phrase, negatives) for text in negatives] for phrase in phrases]
    )


def dense_loss(
    patches: Tensor,
    phrases: Tensor,
    negatives: Tensor,
    allowed: Tensor,
    targets: Tensor,
    weight: Tensor,
    scale: Tensor,
) -> Tensor:
    """Return the loss of the relevancy that the planner will see, and of nothing else.

    A quality focal loss: cross-entropy towards soft targets, weighted by the error, because
    nearly all patches match nearly no phrase.

    Args:
        patches: unit embeddings, (batch, patches, dim).
        phrases: unit embeddings, (phrases, dim).
        negatives: unit embeddings of the neutral phrases, (negatives, dim).
        allowed: which neutral phrases count for which phrase, (phrases, negatives).
        targets: relevancy in [0, 1], (batch, patches, phrases).
        weight: of each element, broadcastable to `targets`.
        scale: inverse temperature.
    """
    positive = patches @ phrases.T
    neutral = (patches @ negatives.T)[:, :, None, :].masked_fill(~allowed, -2.0)
    logits = scale * (positive - neutral.amax(dim=-1))
    error = (torch.sigmoid(logits) - targets).abs().detach()
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction='none')
    return (error * loss * weight).sum() / targets.sum().clamp(min=1.0)


def balance(targets: Tensor) -> Tensor:
    """Return a weight per phrase, (phrases,), so that a pea counts although a bowl is larger.

    The root of the ratio of the mean area to the phrase's own, within 0.5 to 8; phrases that
    are nowhere count as much as the mean.
    """
    mass = targets.sum(dim=(0, 1))
    present = mass > 0
    mean = mass[present].mean() if present.any() else mass.new_ones(())
    weights = (mean / mass.clamp(min=1e-6)).sqrt().clamp(0.5, 8.0)
    return torch.where(present, weights, torch.ones_like(weights))


def contrastive_loss(images: Tensor, captions: Tensor, matches: Tensor, scale: Tensor) -> Tensor:
    """Return the symmetric image-text loss with several right answers.

    Args:
        images: unit embeddings, (images, dim).
        captions: unit embeddings, (captions, dim).
        matches: whether a caption is true of an image, bool (images, captions).
        scale: inverse temperature.
    """
    logits = scale * images @ captions.T
    right = matches.float()
    to_text = -(logits.log_softmax(dim=1) * right).sum(dim=1) / right.sum(dim=1).clamp(min=1)
    to_image = -(logits.log_softmax(dim=0) * right).sum(dim=0) / right.sum(dim=0).clamp(min=1)
    return 0.5 * (to_text.mean() + to_image.mean())
