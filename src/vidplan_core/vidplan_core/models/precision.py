# SPDX-License-Identifier: Apache-2.0
"""Inference in the precision that the machine is fast in."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn


@functools.cache
def has_amx() -> bool:
    """Whether the CPU multiplies bfloat16 matrices in hardware."""
    probe = getattr(torch.cpu, '_is_amx_tile_supported', None)
    return bool(probe()) if probe else False


def is_fast(device: torch.device) -> bool:
    """Whether a device is fastest in bfloat16: a GPU, and a CPU with AMX."""
    return device.type == 'cuda' or (device.type == 'cpu' and has_amx())


def fast_precision(device: torch.device) -> AbstractContextManager[object]:
    """Autocast to bfloat16 where that is fast, full precision elsewhere."""
    return torch.autocast(device.type, torch.bfloat16) if is_fast(device) else nullcontext()


def narrow(module: nn.Module, device: torch.device) -> None:
    """Keep the weights that `fast_precision` multiplies as it multiplies them.

    Autocast casts frozen weights in every call, a tenth of the time of a small network. From
    then on the module can be used under `fast_precision` only.
    """
    if is_fast(device):
        for part in module.modules():
            if isinstance(part, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
                part.to(torch.bfloat16)
