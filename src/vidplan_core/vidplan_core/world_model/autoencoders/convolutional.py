# SPDX-License-Identifier: Apache-2.0
"""Per-view autoencoder: one image to a latent of an eighth of its size and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidplan_core.world_model.autoencoders.config import AutoencoderConfig


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a skip; the second starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Shape-preserving, (batch, width, height, width)."""
        return x + self.second(functional.silu(self.first(functional.silu(self.norm(x)))))


class Autoencoder(nn.Module):
    """KL-regularised convolutional autoencoder, shared by all views.

    The full-resolution levels are strided convolutions and pixel shuffles without
    normalisation: on a CPU that is seven times faster than working at full resolution.
    """

    sees_neighbours = False

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        small, middle, large = config.widths
        self.encoder = nn.Sequential(
            nn.Conv2d(3, small, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(small, middle, 4, stride=2, padding=1),
            ResidualBlock(middle),
            nn.Conv2d(middle, large, 4, stride=2, padding=1),
            *[ResidualBlock(large) for _ in range(config.blocks)],
            nn.SiLU(),
            nn.Conv2d(large, 2 * config.latent_channels, 3, padding=1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(config.latent_channels, large, 3, padding=1),
            *[ResidualBlock(large) for _ in range(config.blocks)],
            nn.Conv2d(large, 4 * middle, 3, padding=1),
            nn.PixelShuffle(2),
            *[ResidualBlock(middle) for _ in range(config.blocks)],
            nn.SiLU(),
            nn.Conv2d(middle, 48, 3, padding=1),
            nn.PixelShuffle(4),
        )

    def moments(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the latent of images (batch, 3, height, width) in [-1, 1]."""
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        return mean, log_variance.clamp(-20.0, 4.0)

    def encode(self, images: Tensor) -> Tensor:
        """Mean latent (batch, channels, height/8, width/8) of images in [-1, 1]."""
        return self.moments(images)[0]

    def decode(self, latents: Tensor) -> Tensor:
        """Images (batch, 3, height, width), nominally in [-1, 1], unclipped."""
        return self.decoder(latents)

    def decode_clips(self, clips: Tensor) -> Tensor:
        """Images (clips, frames, 3, height, width) of latents (clips, frames, channels, ...).

        A clip is one view of one future; here its frames do not know of each other.
        """
        return self.decode(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruction of a sampled latent, with the mean and log variance."""
        mean, log_variance = self.moments(images)
        sample = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decode(sample), mean, log_variance
