# SPDX-License-Identifier: Apache-2.0
"""A world model of the real classes, small enough for a test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from vidplan_core.data.action import PoseChunk
from vidplan_core.world_model.autoencoders.build import save_autoencoder
from vidplan_core.world_model.autoencoders.config import AutoencoderConfig
from vidplan_core.world_model.autoencoders.convolutional import Autoencoder
from vidplan_core.world_model.backbones.svd import SvdConfig
from vidplan_core.world_model.backbones.unet2d import UNet2DConfig
from vidplan_core.world_model.checkpoint import save_world_model
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_core.world_model.released.presets import ModelSpec, ctrl_world
from vidplan_core.world_model.text import TextConfig
from vidplan_core.world_model.world_model import WorldModel

CHANNELS = 4


def tiny_config() -> WorldModelConfig:
    """Three views of 32 x 64 pixels, latents of 12 x 8."""
    return WorldModelConfig(
        height=32,
        width=64,
        residual_std=0.5,
        latent_mean=(0.1,) * CHANNELS,
        latent_std=(1.5,) * CHANNELS,
        backbone=UNet2DConfig(widths=(16, 32), attention_head_dim=16, token_dim=16),
    )


def tiny_world_model(seed: int = 0) -> WorldModel:
    """Random weights, the same for a seed."""
    torch.manual_seed(seed)
    autoencoder = Autoencoder(AutoencoderConfig(CHANNELS, (8, 16, 16), 1))
    return WorldModel(tiny_config(), autoencoder).eval().requires_grad_(False)


def save_models(folder: Path, model: WorldModel) -> Path:
    """Write a world model and its autoencoder as a models folder has them; gives the folder."""
    save_autoencoder(folder / 'autoencoder', model.autoencoder)
    save_world_model(folder / 'world_model', model)
    return folder


def down() -> torch.Tensor:
    """Rotation of a flange that points straight down."""
    return torch.diag(torch.tensor([1.0, -1.0, -1.0]))


def straight_chunk(motions: torch.Tensor, frames: int = 5) -> PoseChunk:
    """Chunks (N, frames) that move evenly by motions (N, 3), gripper down."""
    along = torch.linspace(0, 1, frames)
    start = torch.tensor([0.5, 0.0, 0.4])
    position = start + along[None, :, None] * motions[:, None, :]
    rotation = down().expand(len(motions), frames, 3, 3)
    return PoseChunk(position, rotation, torch.zeros(len(motions), frames))


def tiny_ctrl_world(target_time: bool = False) -> ModelSpec:
    """Ctrl-World's configuration, shrunk: every part is there, of the real classes."""
    full = ctrl_world(target_time)
    sizes = SvdConfig(
        widths=(32, 32, 64), attention_head_dim=16, token_dim=32, text_dim=16,
        micro_dim=8, present_scale=full.world_model.backbone.present_scale,
        noise_augmentation=full.world_model.backbone.noise_augmentation, target_time=target_time,
    )  # fmt: skip
    return ModelSpec(
        replace(full.world_model, height=32, width=64, backbone=sizes),
        replace(full.autoencoder, widths=(32, 32, 32, 32), blocks=1),
        TextConfig(width=16, layers=1, heads=2, projection=16),
    )
