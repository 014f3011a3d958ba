# SPDX-License-Identifier: Apache-2.0
"""Perturbations that keep away from each other: directions spread over all there are."""

from __future__ import annotations

import torch
from torch import Tensor

STEPS, STEP = 60, 0.3


def repelled(count: int, seed: int, dimensions: int = 4) -> Tensor:
    """Unit vectors (count, dimensions), drawn and then pushed apart as equal charges are.

    Float32 on the processor; the same for a seed.
    """
    generator = torch.Generator().manual_seed(seed)
    found = torch.randn(count, dimensions, generator=generator)
    found = found / found.norm(dim=1, keepdim=True)
    for _ in range(STEPS if count > 1 else 0):
        apart = found[:, None] - found[None]
        push = (apart / apart.norm(dim=-1, keepdim=True).clamp_min(1e-3) ** 3).sum(1)
        found = found + STEP / count * push
        found = found / found.norm(dim=1, keepdim=True)
    return found
