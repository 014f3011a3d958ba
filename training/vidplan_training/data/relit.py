# SPDX-License-Identifier: Apache-2.0
"""Pictures in another light."""

from __future__ import annotations

import torch
from torch import Tensor

GAIN, OFFSET = 0.15, 0.05  # at most: contrast and brightness of a view


def relit(crops: Tensor, rng: torch.Generator) -> Tensor:
    """Crops (batch, views, channels, ...) whose colours are brighter, or have more contrast.

    The first three channels are colours in [-0.5, 0.5], the last is 1 where there are any.
    """
    shape = (*crops.shape[:2], 1, 1, 1)
    gain = 1.0 + GAIN * (2.0 * torch.rand(shape, generator=rng) - 1.0)
    offset = OFFSET * (2.0 * torch.rand(shape, generator=rng) - 1.0)
    found = crops.clone()
    found[:, :, :3] = (crops[:, :, :3] * gain + offset) * crops[:, :, -1:]
    return found
