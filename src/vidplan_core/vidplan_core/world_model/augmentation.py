# SPDX-License-Identifier: Apache-2.0
"""Noise on the past, in training only: it makes a network robust to pasts that it imagined."""

from __future__ import annotations

from torch import Tensor

from vidplan_core.world_model.config import WorldModelConfig


def noisy_history(
    history: Tensor, config: WorldModelConfig, levels: Tensor, noise: Tensor
) -> Tensor:
    """History (batch, history, channels, rows, columns) with noise, of unchanged variance.

    As Ctrl-World is trained: each past frame gets a level of its own, normally distributed with
    standard deviation `config.history_noise`; the present, which is last, one that is even in
    0 .. `config.present_noise`. A level s makes of x the mixture (x + s noise)/sqrt(s^2 + 1).

    Args:
        history: clean.
        config: how much.
        levels: draws (batch, history), normal; for the present, which is last, even in 0 .. 1.
        noise: normal, shaped like `history`.
    """
    sizes = levels.new_full(levels.shape[1:], config.history_noise)
    sizes[-1] = config.present_noise
    level = (sizes * levels).to(history)[:, :, None, None, None]
    return (history + level * noise) / (level.square() + 1).sqrt()
