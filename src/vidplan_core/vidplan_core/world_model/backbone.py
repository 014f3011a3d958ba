# SPDX-License-Identifier: Apache-2.0
"""The one interface with two implementations: noisy latents and conditions to raw output."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from vidplan_core.errors import ModelError
from vidplan_core.world_model.config import WorldModelConfig


class Backbone(Protocol):
    """Raw network F of the EDM preconditioning."""

    def __call__(
        self, noisy: Tensor, history: Tensor, actions: Tensor, start: Tensor, target: Tensor
    ) -> Tensor:
        """Raw output, shaped like `noisy`.

        Args:
            noisy: scaled noisy latents, (batch, frames, channels, height, width).
            history: clean latents up to the present, (batch, history, channels, height, width).
            actions: features per frame, history first, (batch, history - 1 + frames, features).
            start: flow time of `noisy`, (batch,).
            target: flow time that the step aims at, (batch,).
        """
        ...


def build_backbone(config: WorldModelConfig, channels: int, features: int) -> nn.Module:
    """Backbone named by `config.backbone.kind`; raises ModelError for an unknown kind."""
    if config.backbone.kind == 'unet2d':
        from vidplan_core.world_model.unet2d import UNet2D

        return UNet2D(config, channels, features)
    raise ModelError(f"unknown backbone '{config.backbone.kind}'; known: unet2d")
