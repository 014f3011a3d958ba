# SPDX-License-Identifier: Apache-2.0
"""A learned weight of losses that differ in size between flow times."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

OCTAVES = 6
WIDTH = 64


class LossWeight(nn.Module):
    """Logarithm w(s, t) of the loss expected at flow times s and t; starts at 0.

    exp(-w) loss + w is least at w = ln E[loss], so that every pair of times weighs alike
    (Karras et al. 2024, eq. 21).
    """

    frequencies: Tensor

    def __init__(self) -> None:
        super().__init__()
        octaves = math.pi * 2.0 ** torch.arange(OCTAVES)
        self.register_buffer('frequencies', octaves, persistent=False)
        last = nn.Linear(WIDTH, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(nn.Linear(4 * OCTAVES, WIDTH), nn.SiLU(), last)

    def forward(self, start: Tensor, target: Tensor) -> Tensor:
        """Logarithm (rows,) at flow times (rows,)."""
        phases = torch.stack([start, target], dim=1)[..., None] * self.frequencies
        features = torch.cat([phases.sin(), phases.cos()], dim=-1).flatten(1)
        weight: Tensor = self.layers(features)
        return weight[:, 0]

    def balanced(self, losses: Tensor, start: Tensor, target: Tensor) -> Tensor:
        """Losses (rows,) divided by what is expected of them, plus the price of expecting it."""
        weight = self(start, target)
        return torch.exp(-weight) * losses + weight
