# SPDX-License-Identifier: Apache-2.0
"""Sizes of an autoencoder."""

from __future__ import annotations

from dataclasses import dataclass

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
