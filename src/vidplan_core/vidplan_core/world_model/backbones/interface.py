# SPDX-License-Identifier: Apache-2.0
"""The one interface with two implementations: noisy latents and conditions to raw output."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

from torch import Tensor, nn

from vidplan_core.errors import ModelError
from vidplan_core.world_model.config import WorldModelConfig


@dataclass(frozen=True)
class Condition:
    """What an imagination is conditioned on, for every row of a batch.

    history: clean latents, the present last, (batch, history, channels, height, width).
    actions: features per frame, history first, (batch, history - 1 + frames, features).
    text: embedding of the instruction, (batch, width), for backbones that read one.
    keep: 1 where actions and text are given, 0 where they are dropped, (batch,); None keeps
        all. Dropping them is the unconditional pass of classifier-free guidance.
    rays, carried: what the motion means in every view, see `view_geometry.py`; (batch, frames,
        6 or channels, height, width), for networks that know their cameras.
    """

    history: Tensor
    actions: Tensor
    text: Tensor | None = None
    keep: Tensor | None = None
    rays: Tensor | None = None
    carried: Tensor | None = None

    def rows(self, chosen: Tensor) -> Condition:
        """Some rows of the batch, by index."""
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        return replace(self, **{name: v[chosen] for name, v in given if v is not None})

    def without_actions(self) -> Condition:
        """The same past with actions and text dropped."""
        return replace(self, keep=self.actions.new_zeros(len(self.actions)))


class Backbone(Protocol):
    """Raw network F of the EDM preconditioning."""

    def __call__(
        self, noisy: Tensor, condition: Condition, start: Tensor, target: Tensor
    ) -> Tensor:
        """Raw output, shaped like `noisy`.

        Args:
            noisy: scaled noisy latents, (batch, frames, channels, height, width).
            condition: past, actions and instruction.
            start: flow time of `noisy`, (batch,).
            target: flow time that the step aims at, (batch,); equal to `start` it asks for
                the denoiser.
        """
        ...


def make_no_op(embedding: Any) -> None:
    """Let diffusers' embedding of the target time add nothing, and yet learn.

    Only its last layer becomes zero: were the first one too, neither would ever get a gradient.
    """
    nn.init.zeros_(embedding.linear_2.weight)
    nn.init.zeros_(embedding.linear_2.bias)


def build_backbone(config: WorldModelConfig, channels: int, features: int) -> nn.Module:
    """Backbone named by `config.backbone.kind`; raises ModelError for an unknown kind."""
    if config.backbone.kind == 'unet2d':
        from vidplan_core.world_model.backbones.unet2d import UNet2D

        return UNet2D(config, channels, features)
    if config.backbone.kind == 'svd':
        from vidplan_core.world_model.backbones.svd import SvdBackbone

        return SvdBackbone(config, channels, features)
    raise ModelError(f"unknown backbone '{config.backbone.kind}'; known: unet2d, svd")
