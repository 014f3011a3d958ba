# SPDX-License-Identifier: Apache-2.0
"""The world model that a bench of the engine runs: the shipped one, or full size at random."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from vidplan_core.errors import ConfigError
from vidplan_core.world_model.checkpoint import load_world_model, set_precision
from vidplan_core.world_model.world_model import WorldModel

# Small enough that no activation overflows, large enough that none underflows.
WEIGHT_STD = 0.02


def load_engine_model(
    size: str, models: Path | None, device: torch.device, dtype: str
) -> WorldModel:
    """World model of a size, frozen, in a precision.

    Args:
        size: 'cell' for the models folder, 'full' for random weights of Ctrl-World's size.
        models: folder of trained models; with 'full' it replaces the random weights.
        device: where to.
        dtype: 'bf16', 'fp32', or 'auto' for what planning uses: bf16 where the machine is fast
            in it, and at full size.

    Raises:
        ConfigError: the device is not fast in what was asked for.
        ModelError: the models folder does not hold a world model.
    """
    if device.type == 'cuda' and not torch.cuda.is_available():
        raise ConfigError('PyTorch finds no CUDA device here; use --device cpu')
    if size == 'full' and models is None:
        model = random_full_size(device, torch.float32 if dtype == 'fp32' else torch.bfloat16)
    else:
        assert models is not None
        model = load_world_model(models, device)
    set_precision(model, dtype)
    return model


def random_full_size(device: torch.device, dtype: torch.dtype) -> WorldModel:
    """Ctrl-World's configuration as a flow map, random weights, without its text tower."""
    from dataclasses import replace

    from vidplan_core.world_model.released.presets import ctrl_world

    with torch.device('meta'):
        model = replace(ctrl_world(), text=None).build()
    fill_at_random(model, device, dtype)
    for part in (model.backbone, model.autoencoder):
        part.to(dtype)  # what was not built on the meta device, too
    model.fast = True  # as `load_world_model` leaves them
    return model.eval().requires_grad_(False)


@torch.no_grad()
def fill_at_random(model: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    """Give a model that was built on the meta device weights, and move the rest of it."""
    generator = torch.Generator(device).manual_seed(0)
    for module in model.modules():
        for name, value in list(module.named_parameters(recurse=False)):
            if value.is_meta:
                filled = torch.empty(value.shape, dtype=dtype, device=device)
                filled.normal_(0.0, WEIGHT_STD, generator=generator)
                setattr(module, name, nn.Parameter(filled, requires_grad=False))
    model.to(device)
