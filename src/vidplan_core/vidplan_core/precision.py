# SPDX-License-Identifier: Apache-2.0
"""Inference in the precision that the machine is fast in."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager, nullcontext

import torch


@functools.cache
def has_amx() -> bool:
    """Whether the CPU multiplies bfloat16 matrices in hardware."""
    probe = getattr(torch.cpu, '_is_amx_tile_supported', None)
    return bool(probe()) if probe else False


def fast_precision(device: torch.device) -> AbstractContextManager[object]:
    """Autocast to bfloat16 on a GPU and on a CPU with AMX, full precision elsewhere."""
    if device.type == 'cuda' or (device.type == 'cpu' and has_amx()):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()
