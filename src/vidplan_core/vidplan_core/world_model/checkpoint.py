# SPDX-License-Identifier: Apache-2.0
"""Models on disk: safetensors for the weights, json for what they are.

A folder holds `autoencoder/` and `world_model/`, each with `config.json` and
`weights.safetensors`. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vidplan_core.errors import ModelError
from vidplan_core.world_model.autoencoder import Autoencoder
from vidplan_core.world_model.config import (
    AutoencoderConfig,
    WorldModelConfig,
    from_dict,
    to_dict,
)
from vidplan_core.world_model.world_model import WorldModel

CONFIG = 'config.json'
WEIGHTS = 'weights.safetensors'


def save_weights(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write a model folder; floating-point weights are stored as float16."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + '\n')
    halves = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in tensors.items()
    }
    save_file(halves, folder / WEIGHTS)


def read_config(folder: Path) -> dict[str, Any]:
    """Configuration of a model folder; raises ModelError when missing or not json."""
    path = folder / CONFIG
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ModelError(f'no model in {folder}: {CONFIG} is missing') from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f'{path} is not valid json: {error}') from error
    if not isinstance(values, dict):
        raise ModelError(f'{path} must hold one json object')
    return values


def load_weights(module: nn.Module, folder: Path, optional: tuple[str, ...] = ()) -> None:
    """Fill a module strictly; tensors that start with an `optional` prefix may be absent.

    Raises ModelError naming the file and every missing, unknown or wrongly shaped tensor.
    """
    path = folder / WEIGHTS
    try:
        stored = load_file(path)
    except FileNotFoundError as error:
        raise ModelError(f'no weights: {path} is missing') from error
    except SafetensorError as error:
        raise ModelError(f'{path} is corrupt or truncated: {error}') from error
    wanted = {k: v for k, v in module.state_dict().items() if not k.startswith(optional or '\0')}
    problems = [f'{name} is missing' for name in sorted(set(wanted) - set(stored))]
    problems += [f'{name} is unknown' for name in sorted(set(stored) - set(wanted))]
    problems += [
        f'{name} has shape {tuple(stored[name].shape)}, expected {tuple(wanted[name].shape)}'
        for name in sorted(set(wanted) & set(stored))
        if stored[name].shape != wanted[name].shape
    ]
    problems += [
        f'{name} is not finite'
        for name, value in stored.items()
        if value.is_floating_point() and not bool(torch.isfinite(value).all())
    ]
    if problems:
        raise ModelError(f'{path} does not fit: ' + '; '.join(problems[:8]))
    module.load_state_dict(stored, strict=False)


def save_autoencoder(folder: Path, autoencoder: Autoencoder) -> None:
    """Write `folder`/config.json and weights.safetensors."""
    save_weights(folder, to_dict(autoencoder.config), autoencoder.state_dict())


def load_autoencoder(folder: Path) -> Autoencoder:
    """Autoencoder of a model folder, in evaluation mode."""
    autoencoder = Autoencoder(from_dict(AutoencoderConfig, read_config(folder)))
    load_weights(autoencoder, folder)
    return autoencoder.eval()


def save_world_model(folder: Path, model: WorldModel) -> None:
    """Write the backbone; the autoencoder has a folder of its own."""
    save_weights(folder, to_dict(model.config), backbone_state(model))


def backbone_state(model: WorldModel) -> dict[str, Tensor]:
    """The world model's own tensors, without the autoencoder's."""
    state = model.state_dict()
    return {name: value for name, value in state.items() if not name.startswith('autoencoder.')}


def load_world_model(models: Path, device: str | torch.device = 'cpu') -> WorldModel:
    """World model of a models folder (`autoencoder/`, `world_model/`), ready to imagine.

    In evaluation mode, frozen, its networks in the machine's fast precision.
    """
    autoencoder = load_autoencoder(models / 'autoencoder')
    folder = models / 'world_model'
    model = WorldModel(from_dict(WorldModelConfig, read_config(folder)), autoencoder)
    load_weights(model, folder, optional=('autoencoder.',))
    model.fast = True
    return model.eval().requires_grad_(False).to(device)
