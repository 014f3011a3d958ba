# SPDX-License-Identifier: Apache-2.0
"""World models on disk.

A folder holds `autoencoder/`, `world_model/` and, for a network that reads instructions,
`text_encoder/`, each with `config.json` and `weights.safetensors`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vidplan_core.errors import ConfigError
from vidplan_core.models.io import from_dict, load_weights, read_config, save_weights, to_dict
from vidplan_core.models.precision import is_fast, narrow
from vidplan_core.world_model.autoencoders.build import load_autoencoder
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_core.world_model.outcome import FOLDER as OUTCOME
from vidplan_core.world_model.outcome import OutcomeConfig, OutcomeReadout
from vidplan_core.world_model.released.import_checkpoint import load_released
from vidplan_core.world_model.text import load_text_encoder
from vidplan_core.world_model.world_model import OTHER_PARTS, WorldModel


def save_world_model(
    folder: Path, model: WorldModel, dtype: torch.dtype | None = torch.float16
) -> None:
    """Write the backbone; the autoencoder has a folder of its own."""
    save_weights(folder, to_dict(model.config), backbone_state(model), dtype)
    if model.outcome is not None:
        readout = model.outcome
        save_weights(folder / OUTCOME, to_dict(readout.config), readout.state_dict(), dtype)


def backbone_state(model: WorldModel) -> dict[str, Tensor]:
    """The world model's own tensors, without the autoencoder's and the text tower's."""
    state = model.state_dict()
    return {name: value for name, value in state.items() if not name.startswith(OTHER_PARTS)}


def load_outcome(folder: Path) -> OutcomeReadout:
    """Readout of a folder; raises ModelError when it cannot be read."""
    readout = OutcomeReadout(from_dict(OutcomeConfig, read_config(folder)))
    load_weights(readout, folder)
    return readout


def load_world_model(models: Path, device: str | torch.device = 'cpu') -> WorldModel:
    """World model of a models folder or of a released checkpoint, ready to imagine.

    In evaluation mode, frozen, its networks in the machine's fast precision. Built without
    memory and then given its tensors, so that there is never a second copy of them.
    """
    model = load_released(models) if models.is_file() else _load_folder(models)
    model.fast = True
    return model.eval().requires_grad_(False).to(device)


def set_precision(model: WorldModel, precision: str) -> None:
    """Let a loaded model compute as planning does, in place.

    Args:
        model: on the device that it stays on.
        precision: one of `PRECISIONS`. 'auto' keeps stored weights and multiplies in bfloat16
            where the device is fast in it; there small networks keep narrow weights, too.

    Raises:
        ConfigError: the device is not fast in what is asked for.
    """
    device = model.mean.device
    if precision == 'fp32':
        model.fast = False
        model.float()
        return
    if model.config.backbone.own_precision:
        if precision == 'bf16':
            model.backbone.to(torch.bfloat16)
            model.autoencoder.to(torch.bfloat16)
        return
    if precision == 'bf16' and not is_fast(device):
        raise ConfigError('this CPU is not fast in bfloat16; take precision fp32 or auto')
    narrow(model.backbone, device)
    narrow(model.autoencoder, device)


def to_channels_last(model: nn.Module) -> None:
    """Lay weights of convolutions out with the channels last, as tensor cores like, in place."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.contiguous(memory_format=torch.channels_last)
        elif isinstance(module, nn.Conv3d):
            module.weight.data = module.weight.contiguous(memory_format=torch.channels_last_3d)


def compile_networks(model: WorldModel, mode: str | None = None) -> None:
    """Compile what is evaluated most, the network and the decoder, in place.

    Shapes are fixed: every size of a batch gets its own code the first time that it comes.
    `mode` is PyTorch's.
    """
    decoder: Any = getattr(model.autoencoder, 'vae', model.autoencoder)
    for module in (model.backbone, decoder.decoder):
        module.compile(mode=mode, dynamic=False)


def world_model_config(folder: Path) -> WorldModelConfig:
    """What a folder says of its world model; raises ModelError when it cannot be read."""
    return from_dict(WorldModelConfig, read_config(folder))


def _load_folder(models: Path) -> WorldModel:
    autoencoder = load_autoencoder(models / 'autoencoder')
    folder = models / 'world_model'
    config = world_model_config(folder)
    reads_text = config.backbone.reads_text
    text_encoder = load_text_encoder(models / 'text_encoder') if reads_text else None
    with torch.device('meta'):
        model = WorldModel(config, autoencoder, text_encoder)
    load_weights(model, folder, optional=OTHER_PARTS)
    if (folder / OUTCOME).is_dir():
        model.outcome = load_outcome(folder / OUTCOME)
    return model
