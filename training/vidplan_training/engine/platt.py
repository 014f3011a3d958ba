# SPDX-License-Identifier: Apache-2.0
"""Platt scaling (Platt 1999): logits whose probabilities come true as often as they say."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

# A scale is kept between this and its inverse: separable samples would make it endless.
LEAST_SCALE = 1e-2


def platt(logits: Tensor, true: Tensor) -> tuple[float, float]:
    """Scale, above 0, and shift of logits (samples,) with which they predict `true` best."""
    given, wanted = logits.detach().double(), true.detach().double()
    numbers = torch.zeros(2, dtype=torch.double, requires_grad=True)
    optimiser = torch.optim.LBFGS([numbers], max_iter=100, line_search_fn='strong_wolfe')

    def closure() -> Tensor:
        optimiser.zero_grad()
        scaled = numbers[0].exp() * given + numbers[1]
        loss = functional.binary_cross_entropy_with_logits(scaled, wanted)
        loss.backward()
        return loss

    optimiser.step(closure)
    scale, shift = numbers.tolist()
    return min(max(math.exp(scale), LEAST_SCALE), 1.0 / LEAST_SCALE), shift
