# SPDX-License-Identifier: Apache-2.0
"""A training loop that ends by the clock or by iterations, whichever comes first."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

WARMUP, CLIP, DECAY = 100, 1.0, 0.998


@dataclass(frozen=True)
class Budget:
    """Length of one training: at most so many iterations and seconds."""

    iterations: int
    seconds: float = math.inf

    def part(self, iteration: int, elapsed_s: float) -> float:
        """How much of it is used up, 0 .. 1."""
        return min(1.0, max(iteration / self.iterations, elapsed_s / self.seconds))


def train(
    module: nn.Module, loss_of: Callable[[int], Tensor], budget: Budget, rate: float,
    name: str = '',
) -> int:
    """AdamW with a cosine schedule; the module ends with the average of its weights.

    Returns:
        The iterations that were made.
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, rate, weight_decay=1e-2, betas=(0.9, 0.99))
    average: list[Tensor] = [p.detach().clone() for p in trained]
    weights: list[Tensor] = [*trained]
    began, iteration, smooth = time.monotonic(), 0, math.nan
    while (part := budget.part(iteration, time.monotonic() - began)) < 1.0:
        warm = min(1.0, (iteration + 1) / WARMUP)
        shape = 0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * part))
        for group in optimizer.param_groups:
            group['lr'] = rate * warm * shape
        torch.manual_seed(iteration)
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(iteration)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(trained, CLIP)
        if bool(norm.isfinite()):  # a batch that overflowed is left out
            optimizer.step()
        iteration += 1
        with torch.no_grad():
            decay = min(DECAY, (1 + iteration) / (10 + iteration))
            torch._foreach_lerp_(average, weights, 1.0 - decay)
        if iteration % 100 == 0 or iteration == 5:
            value = float(loss.detach())
            smooth = value if math.isnan(smooth) else 0.8 * smooth + 0.2 * value
            spent = time.monotonic() - began
            print(f'{name} [{iteration}] loss {smooth:.4f} {iteration / spent:.1f}/s', flush=True)
    with torch.no_grad():
        for parameter, mean in zip(trained, average, strict=True):
            parameter.copy_(mean)
    return iteration
