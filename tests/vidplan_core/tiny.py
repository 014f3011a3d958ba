# SPDX-License-Identifier: Apache-2.0
"""A world model of the real classes, small enough for a test."""

from __future__ import annotations

import torch

from vidplan_core.action import PoseChunk
from vidplan_core.world_model.autoencoder import Autoencoder
from vidplan_core.world_model.config import (
    AutoencoderConfig,
    BackboneConfig,
    WorldModelConfig,
)
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
        backbone=BackboneConfig(widths=(16, 32), attention_head_dim=16, token_dim=16),
    )


def tiny_world_model(seed: int = 0) -> WorldModel:
    """Random weights, the same for a seed."""
    torch.manual_seed(seed)
    autoencoder = Autoencoder(AutoencoderConfig(CHANNELS, (8, 16, 16), 1))
    return WorldModel(tiny_config(), autoencoder).eval().requires_grad_(False)


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
