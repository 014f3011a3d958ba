# SPDX-License-Identifier: Apache-2.0
"""Stable Video Diffusion's autoencoder, whose decoder sees the frames of a view together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidplan_core.errors import ModelError
from vidplan_core.models.torchvision_shim import ensure_torchvision
from vidplan_core.world_model.autoencoders.config import SCALING_FACTOR, AutoencoderConfig

ensure_torchvision()  # diffusers imports torchvision where it is installed

from diffusers import AutoencoderKLTemporalDecoder  # noqa: E402

LEVELS = 4

# All of one future: three views of five frames.
FRAMES_AT_ONCE = 15


class TemporalAutoencoder(nn.Module):
    """The same methods as `Autoencoder` around diffusers' class.

    Its decoder overflows in float16, so weights stored as such are loaded as float32;
    bfloat16 has the range of float32 and needs no care.
    """

    sees_neighbours = True

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        if len(config.widths) != LEVELS:
            raise ModelError(f'a stride of 8 needs {LEVELS} widths, got {config.widths}')
        self.config = config
        self.vae = AutoencoderKLTemporalDecoder(
            down_block_types=('DownEncoderBlock2D',) * LEVELS,
            block_out_channels=config.widths,
            layers_per_block=config.blocks,
            latent_channels=config.latent_channels,
            scaling_factor=SCALING_FACTOR,
        )

    def moments(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the latent of images (batch, 3, height, width) in [-1, 1]."""
        latent = self.vae.encode(self._typed(images)).latent_dist
        return latent.mean, latent.logvar

    def encode(self, images: Tensor) -> Tensor:
        """Mean latent (batch, channels, height/8, width/8): no noise, the same every time."""
        return self.moments(images)[0]

    def decode(self, latents: Tensor) -> Tensor:
        """Images (batch, 3, height, width) of latents without a neighbour in time."""
        return self.decode_clips(latents[:, None])[:, 0]

    def decode_clips(self, clips: Tensor) -> Tensor:
        """Images (clips, frames, 3, height, width) of latents (clips, frames, channels, ...).

        A clip is one view of one future; frames of different clips never meet. A few clips go
        at a time: the decoder's activations are the largest of the whole model.
        """
        latents, frames = self._typed(clips), clips.shape[1]
        images = [
            self.vae.decode(some.flatten(0, 1), num_frames=frames).sample
            for some in latents.split(max(1, FRAMES_AT_ONCE // frames))
        ]
        return torch.cat(images).unflatten(0, clips.shape[:2])

    def _typed(self, x: Tensor) -> Tensor:
        return x.to(self.vae.encoder.conv_in.weight.dtype)
