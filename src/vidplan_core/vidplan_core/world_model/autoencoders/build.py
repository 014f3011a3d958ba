# SPDX-License-Identifier: Apache-2.0
"""Autoencoders by the kind that their configuration names, and their folders on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch

from vidplan_core.errors import ModelError
from vidplan_core.models.io import from_dict, load_weights, read_config, save_weights, to_dict
from vidplan_core.world_model.autoencoders.config import AutoencoderConfig
from vidplan_core.world_model.autoencoders.convolutional import Autoencoder

if TYPE_CHECKING:
    from vidplan_core.world_model.autoencoders.temporal import TemporalAutoencoder

AnyAutoencoder: TypeAlias = 'Autoencoder | TemporalAutoencoder'


def build_autoencoder(config: AutoencoderConfig) -> AnyAutoencoder:
    """Autoencoder named by `config.kind`; raises ModelError for an unknown kind."""
    if config.kind == 'convolutional':
        return Autoencoder(config)
    if config.kind == 'temporal':
        from vidplan_core.world_model.autoencoders.temporal import TemporalAutoencoder

        return TemporalAutoencoder(config)
    raise ModelError(f"unknown autoencoder '{config.kind}'; known: convolutional, temporal")


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
