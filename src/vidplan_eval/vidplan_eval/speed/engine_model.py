# SPDX-License-Identifier: Apache-2.0
"""The world model that a bench of the engine runs: the shipped one, or full size at random."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from vidplan_core.errors import ConfigError
from vidplan_core.world_model.checkpoint import load_world_model, set_precision
from vidplan_core.world_model.released import presets
from vidplan_core.world_model.world_model import WorldModel

# Small enough that no activation overflows, large enough that none underflows.
WEIGHT_STD = 0.02


def load_engine_model(
    size: str, models: Path | None, device: torch.device, dtype: str
) -> WorldModel:
    """World model of a size, frozen, in a precision.

    Args:
        size: 'cell' for the models folder, or a size with random weights, see `engine_spec`.
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
    if size != 'cell' and models is None:
        wide = dtype == 'fp32' or size != 'full'
        model = random_model(size, device, torch.float32 if wide else torch.bfloat16)
    else:
        assert models is not None
        model = load_world_model(models, device)
    set_precision(model, dtype)
    return model


def engine_spec(size: str) -> presets.ModelSpec:
    """Ctrl-World as a flow map, 'full', or with narrow networks for a CPU.

    A 'small' one sees the full size's views; a 'tiny' one, which shows in seconds that everything
    runs, sees views of 64 x 96.
    """
    from vidplan_core.world_model.autoencoders.config import SCALING_FACTOR, AutoencoderConfig
    from vidplan_core.world_model.backbones.svd import SvdConfig
    spec = replace(presets.ctrl_world(), text=None)
    if size == 'full':
        return spec
    tiny = size == 'tiny'
    narrow = SvdConfig(
        widths=(32, 32, 64) if tiny else (32, 64, 128, 128), layers_per_block=1 if tiny else 2,
        attention_head_dim=32, token_dim=64, micro_dim=16, present_scale=1.0 / SCALING_FACTOR,
    )  # fmt: skip
    widths = (32, 32, 32, 32) if tiny else (32, 32, 64, 64)
    sizes = replace(spec.world_model, backbone=narrow)
    return replace(
        spec,
        world_model=replace(sizes, height=64, width=96) if tiny else sizes,
        autoencoder=AutoencoderConfig(4, widths, 1 if tiny else 2, 'temporal'),
    )


def on_meta(size: str) -> WorldModel:
    """A model of a size without weights, to count what it costs."""
    with torch.device('meta'):
        model = engine_spec(size).build()
    return model.to('meta').eval().requires_grad_(False)


def random_model(size: str, device: torch.device, dtype: torch.dtype) -> WorldModel:
    """A model of a size with random weights, without its text tower."""
    with torch.device('meta'):
        model = engine_spec(size).build()
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
