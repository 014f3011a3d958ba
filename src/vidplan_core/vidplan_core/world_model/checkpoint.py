# SPDX-License-Identifier: Apache-2.0
"""Models on disk: safetensors for the weights, json for what they are.

A folder holds `autoencoder/`, `world_model/` and, for a network that reads instructions,
`text_encoder/`, each with `config.json` and `weights.safetensors`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vidplan_core.errors import ModelError
from vidplan_core.models.tensors import fill, mismatches, not_finite, refuse, shapes
from vidplan_core.world_model.autoencoder import AnyAutoencoder, build_autoencoder
from vidplan_core.world_model.config import (
    AutoencoderConfig,
    TextConfig,
    WorldModelConfig,
    from_dict,
    to_dict,
)
from vidplan_core.world_model.world_model import WorldModel

if TYPE_CHECKING:
    from vidplan_core.world_model.text import TextEncoder

CONFIG = 'config.json'
WEIGHTS = 'weights.safetensors'
# Children of a world model that are stored in folders of their own.
OTHER_PARTS = ('autoencoder.', 'text_encoder.')


def save_weights(
    folder: Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    dtype: torch.dtype | None = torch.float16,
) -> None:
    """Write a model folder; float32 weights are stored as `dtype`, None keeps every tensor's."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + '\n')
    wide = (torch.float32, torch.float64)
    stored = {
        name: (value.to(dtype) if dtype and value.dtype in wide else value).contiguous()
        for name, value in tensors.items()
    }
    save_file(stored, folder / WEIGHTS)
    # safetensors lets its owner alone read it; whoever reads the description needs the weights.
    shutil.copymode(folder / CONFIG, folder / WEIGHTS)


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
    problems = mismatches(shapes(wanted), shapes(stored))
    refuse(path, problems + not_finite(stored))
    fill(module, stored)


def save_autoencoder(folder: Path, autoencoder: AnyAutoencoder) -> None:
    """Write `folder`/config.json and weights.safetensors."""
    save_weights(folder, to_dict(autoencoder.config), autoencoder.state_dict())


def load_autoencoder(folder: Path) -> AnyAutoencoder:
    """Autoencoder of a model folder, in evaluation mode."""
    config = from_dict(AutoencoderConfig, read_config(folder))
    with torch.device('meta'):
        autoencoder = build_autoencoder(config)
    load_weights(autoencoder, folder)
    return autoencoder.eval()


def load_text_encoder(folder: Path) -> TextEncoder:
    """Text tower of a model folder, in evaluation mode and full precision: it runs once."""
    from vidplan_core.world_model.text import TextEncoder

    config = from_dict(TextConfig, read_config(folder))
    with torch.device('meta'):
        encoder = TextEncoder(config)
    load_weights(encoder, folder)
    return encoder.float().eval()


def save_world_model(
    folder: Path, model: WorldModel, dtype: torch.dtype | None = torch.float16
) -> None:
    """Write the backbone; the autoencoder has a folder of its own."""
    save_weights(folder, to_dict(model.config), backbone_state(model), dtype)


def backbone_state(model: WorldModel) -> dict[str, Tensor]:
    """The world model's own tensors, without the autoencoder's and the text tower's."""
    state = model.state_dict()
    return {name: value for name, value in state.items() if not name.startswith(OTHER_PARTS)}


def load_world_model(models: Path, device: str | torch.device = 'cpu') -> WorldModel:
    """World model of a models folder or of a released checkpoint, ready to imagine.

    In evaluation mode, frozen, its networks in the machine's fast precision. Built without
    memory and then given its tensors, so that there is never a second copy of them.
    """
    model = _load_released(models) if models.is_file() else _load_folder(models)
    model.fast = True
    return model.eval().requires_grad_(False).to(device)


def world_model_config(folder: Path) -> WorldModelConfig:
    """What a folder says of its world model; raises ModelError when it cannot be read."""
    return from_dict(WorldModelConfig, read_config(folder))


def _load_folder(models: Path) -> WorldModel:
    autoencoder = load_autoencoder(models / 'autoencoder')
    folder = models / 'world_model'
    config = world_model_config(folder)
    text_encoder = load_text_encoder(models / 'text_encoder') if config.backbone.text_dim else None
    with torch.device('meta'):
        model = WorldModel(config, autoencoder, text_encoder)
    load_weights(model, folder, optional=OTHER_PARTS)
    return model


def _load_released(path: Path) -> WorldModel:
    from vidplan_core.world_model.released.import_checkpoint import load_released

    return load_released(path)
