# SPDX-License-Identifier: Apache-2.0
"""Inference in the precision that the machine is fast in."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

# What PyTorch knows of the CPU; names that another release may lack.
PROBES = ('_is_amx_tile_supported', '_is_avx512_bf16_supported')


@functools.cache
def has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware, by AMX or by AVX-512.

    Convolutions of the cell's size then take less than half the time.
    """
    probes = (getattr(torch.cpu, name, None) for name in PROBES)
    return any(probe() for probe in probes if probe is not None)


def is_fast(device: torch.device) -> bool:
    """Whether a device is fastest in bfloat16: a GPU, and a CPU that has it."""
    return device.type == 'cuda' or (device.type == 'cpu' and has_bfloat16())


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
