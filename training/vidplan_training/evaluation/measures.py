# SPDX-License-Identifier: Apache-2.0
"""How far imagined pictures are from what happened, over all pixels and over those that moved."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vidplan_core.metrics.images import decibel, mean_where, moved_pixels, ssim_map
from vidplan_core.metrics.perceptual import FeatureDistance

MEASURES = ('psnr_db', 'ssim', 'deep_feature', 'mean_square')
REGIONS = ('all', 'moving')
# Squared error that reads as the ceiling of PSNR.
SMALLEST_ERROR = 1e-10


class PictureComparison:
    """Compares predictions with the real pictures of one clip.

    What depends on the real pictures alone is computed once: a clip is predicted in many ways.
    """

    def __init__(self, actual: Tensor, present: Tensor, distance: FeatureDistance) -> None:
        """Prepare to compare pictures (frames, views, 3, height, width) in [0, 1].

        Args:
            actual: what happened.
            present: what was seen before, (views, 3, height, width); moving pixels are those
                in which a frame differs from it.
            distance: deep-feature distance.
        """
        self._shape, self._distance = actual.shape[:2], distance
        self._actual = actual.flatten(0, 1)
        self._moved = moved_pixels(actual, present.expand_as(actual)).flatten(0, 1)
        self._embedding = distance.embed(self._actual)

    @torch.no_grad()
    def measure(self, predicted: Tensor) -> np.ndarray:
        """Return every measure, (measures, regions, frames, views).

        `MEASURES` and `REGIONS` name the first two axes; NaN where nothing moved.
        """
        flat = predicted.flatten(0, 1)
        error = (flat - self._actual).square().mean(dim=-3)
        similar = ssim_map(flat, self._actual)
        # The map has no values where the window would leave the picture.
        edge = (self._moved.shape[-1] - similar.shape[-1]) // 2
        inside = self._moved[:, edge:-edge, edge:-edge]
        embedding = self._distance.embed(flat)
        errors = torch.stack([error.mean(dim=(-2, -1)), mean_where(error, self._moved)])
        rows = [
            decibel(errors),
            torch.stack([similar.mean(dim=(-2, -1)), mean_where(similar, inside)]),
            torch.stack(
                [
                    self._distance.distance(embedding, self._embedding),
                    self._distance.distance_where(embedding, self._embedding, self._moved),
                ]
            ),
            errors.clamp(min=SMALLEST_ERROR),
        ]
        return torch.stack(rows).unflatten(-1, self._shape).cpu().double().numpy()
