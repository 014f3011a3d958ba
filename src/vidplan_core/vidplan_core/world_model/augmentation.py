# SPDX-License-Identifier: Apache-2.0
"""Noise on the past, in training only: it makes a network robust to pasts that it imagined."""

from __future__ import annotations

import torch
from torch import Tensor

from vidplan_core.world_model.config import WorldModelConfig


def noisy_history(
    history: Tensor, config: WorldModelConfig, generator: torch.Generator | None = None
) -> Tensor:
    """History (batch, history, channels, rows, columns) with noise, of unchanged variance.

    As Ctrl-World is trained: each past frame gets a level of its own, normally distributed with
    standard deviation `config.history_noise`; the present, which is last, one that is even in
    0 .. `config.present_noise`. A level s makes of x the mixture (x + s noise)/sqrt(s^2 + 1).
    """
    batch, frames = history.shape[:2]
    past = torch.randn(batch, frames - 1, generator=generator) * config.history_noise
    present = torch.rand(batch, 1, generator=generator) * config.present_noise
    level = torch.cat([past, present], dim=1).to(history)[:, :, None, None, None]
    noise = torch.randn(history.shape, generator=generator).to(history)
    return (history + level * noise) / (level.square() + 1).sqrt()
