# SPDX-License-Identifier: Apache-2.0
"""What the engine is measured against: a plain loop over diffusers' modules, with equal weights.

One candidate at a time: the whole past is encoded, the network runs as diffusers has it, with
general attention over its tokens and one token for all frames, and every frame is decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from vidplan_core.errors import ConfigError
from vidplan_core.world_model.sampling.sampler import karras_grid
from vidplan_core.world_model.world_model import WorldModel


class ReferenceLoop:
    """Imagines like a pipeline around a U-Net of diffusers; takes the model's own modules."""

    def __init__(self, model: WorldModel) -> None:
        """Make up a past; raises ConfigError for a network that diffusers' pipeline has not."""
        if model.config.backbone.kind != 'svd':
            raise ConfigError("the reference loop is for backbones of kind 'svd'")
        self._model, sizes = model, model.config
        backbone: Any = model.backbone
        self._unet, self._facts = backbone.unet, backbone.facts
        self._dtype, self._device = self._unet.conv_in.weight.dtype, model.mean.device
        rows = len(sizes.views) * sizes.height
        self._images = self._zeros(1, sizes.history_frames, rows, sizes.width, 3).byte()

    @torch.no_grad()
    def chunk(self, steps: int) -> Tensor:
        """Pictures of all frames of one candidate, without guidance, in a number of steps."""
        model, sizes = self._model, self._model.config
        history = model.encode(self._images).to(self._dtype)
        still = history[:, -1:].expand(-1, sizes.history_frames - 1 + sizes.frames, -1, -1, -1)
        token = self._zeros(1, 1, self._unet.config.cross_attention_dim).to(self._dtype)
        facts = self._facts[None].to(self._dtype)
        x = torch.randn_like(history[:, :1].expand(-1, sizes.frames, -1, -1, -1))
        times = karras_grid(steps, sizes.sigma_min, sizes.sigma_max).tolist()
        x, sigmas = x * sizes.sigma_max, [(1 - time) / time for time in times]
        for sigma, following in zip(sigmas, sigmas[1:]):
            scale = (sigma**2 + 1) ** -0.5
            frames = torch.cat([history[:, :-1], scale * x], dim=1)
            level = torch.tensor([sigma], device=self._device).log() / 4
            sample = torch.cat([frames, still], dim=2)
            raw = self._unet(sample, level, token, facts, return_dict=False)[0]
            raw = raw[:, -sizes.frames :]
            data = scale**2 * x - sigma * scale * raw
            x = x + (x - data) / sigma * (following - sigma)
        return model.decode(x.to(model.mean))

    @contextmanager
    def general_attention(self) -> Iterator[None]:
        """Within the block the network attends as diffusers does."""
        from diffusers.models.attention_processor import AttnProcessor2_0

        own = self._unet.attn_processors
        self._unet.set_attn_processor(AttnProcessor2_0())
        try:
            yield
        finally:
            self._unet.set_attn_processor(own)

    def _zeros(self, *shape: int) -> Tensor:
        return torch.zeros(shape, device=self._device)
