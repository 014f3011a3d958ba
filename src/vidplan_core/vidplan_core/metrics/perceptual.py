# SPDX-License-Identifier: Apache-2.0
"""Distance of images in the features of a fixed network, as LPIPS measures it.

Per layer (Zhang et al. 2018, eq. 1): features are scaled to unit length over their channels,
subtracted and squared; the mean over pixels is summed over channels and layers. LPIPS proper
weights the channels with numbers fitted to human judgements; without them, the channels count
alike and the layers are averaged, which is another number and carries its network's name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from vidplan_core.metrics.images import mean_where

EPSILON = 1e-8

Features = Callable[[Tensor], Sequence[Tensor]]


@dataclass(frozen=True)
class Embedding:
    """Unit features of images, one tensor (batch, channels, rows, columns) per layer.

    size: height and width of the images, in pixels.
    """

    layers: tuple[Tensor, ...]
    size: tuple[int, int]


@dataclass(frozen=True)
class FeatureDistance:
    """Distance of images in the features of one network.

    Attributes:
        name: of the network and its training; numbers of different names do not compare.
        features: maps images (batch, 3, height, width) in [0, 1] to maps, one per layer.
        weights: channel weights per layer, each broadcasting to (batch, channels, rows,
            columns); empty for the plain mean over layers.
        details: what else identifies the network, such as the hash of its weights.
    """

    name: str
    features: Features
    weights: tuple[Tensor, ...] = ()
    details: dict[str, str] = field(default_factory=dict)

    @torch.no_grad()
    def embed(self, images: Tensor) -> Embedding:
        """Features of images (batch, 3, height, width) in [0, 1], computed once, used often."""
        maps = tuple(_unit(layer.float()) for layer in self.features(images))
        return Embedding(maps, (images.shape[-2], images.shape[-1]))

    def distance(self, first: Embedding, second: Embedding) -> Tensor:
        """Distance (batch,) of two embeddings; 0 for equal images."""
        return torch.stack([apart.mean(dim=(-2, -1)) for apart in self._apart(first, second)]).sum(
            dim=0
        )

    def distance_where(self, first: Embedding, second: Embedding, mask: Tensor) -> Tensor:
        """Distance (batch,) over the pixels of a mask (batch, height, width), else NaN.

        Every layer is enlarged to the size of the images first.
        """
        enlarged = [
            functional.interpolate(apart[:, None], first.size, mode='bilinear')[:, 0]
            for apart in self._apart(first, second)
        ]
        return mean_where(torch.stack(enlarged).sum(dim=0), mask)

    def _apart(self, first: Embedding, second: Embedding) -> list[Tensor]:
        """Weighted squared difference (batch, rows, columns) of each layer."""
        pairs = list(zip(first.layers, second.layers))
        if self.weights:
            return [
                (weight * (a - b).square()).sum(dim=1)
                for weight, (a, b) in zip(self.weights, pairs)
            ]
        return [(a - b).square().sum(dim=1) / len(pairs) for a, b in pairs]


def _unit(layer: Tensor) -> Tensor:
    return layer * (layer.square().sum(dim=1, keepdim=True) + EPSILON).rsqrt()
