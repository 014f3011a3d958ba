# SPDX-License-Identifier: Apache-2.0
"""Sizes of an autoencoder."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan_core.models.fields import require_ranges

# Pixels per latent element, in each direction.
STRIDE = 8

# SVD's latents times this have about unit variance; Ctrl-World models those.
SCALING_FACTOR = 0.18215


@dataclass(frozen=True)
class AutoencoderConfig:
    """Per-view autoencoder with a stride of 8: `convolutional` (ours) or `temporal` (SVD's)."""

    latent_channels: int = 8
    widths: tuple[int, ...] = (32, 64, 128)
    blocks: int = 2
    kind: str = 'convolutional'

    def __post_init__(self) -> None:
        require_ranges(self, latent_channels=(1, 1024), widths=(1, 16384), blocks=(0, 64))
