# SPDX-License-Identifier: Apache-2.0
"""CLIP's text tower: an instruction to one embedding, each computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vidplan_core.language.open_clip_model import open_clip_module
from vidplan_core.models.io import from_dict, load_weights, read_config
from vidplan_core.models.torchvision_shim import ensure_torchvision

_CACHED_PHRASES = 512


@dataclass(frozen=True)
class TextConfig:
    """CLIP's text tower; the values are those of openai/clip-vit-base-patch32."""

    vocabulary: int = 49408
    positions: int = 77
    width: int = 512
    layers: int = 12
    heads: int = 8
    projection: int = 512


class TextEncoder(nn.Module):
    """Projected embedding of the end-of-text token, not normalised, as Ctrl-World uses it."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        ensure_torchvision()  # transformers imports torchvision where it is installed
        from transformers import CLIPTextConfig, CLIPTextModelWithProjection

        self.config = config
        self.clip = CLIPTextModelWithProjection(
            CLIPTextConfig(
                vocab_size=config.vocabulary,
                max_position_embeddings=config.positions,
                hidden_size=config.width,
                intermediate_size=4 * config.width,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                projection_dim=config.projection,
                hidden_act='quick_gelu',
            )
        )
        # A buffer that no checkpoint holds; built here, it survives loading from the meta device.
        places = torch.arange(config.positions, device='cpu')[None]
        self.clip.text_model.embeddings.register_buffer('position_ids', places, False)
        self._tokenizer: Any = None
        self._known: dict[str, Tensor] = {}

    @torch.no_grad()
    def forward(self, phrases: Sequence[str]) -> Tensor:
        """Embeddings (phrases, projection) in float32; an empty phrase has one too."""
        for phrase in phrases:
            if phrase not in self._known:
                if len(self._known) >= _CACHED_PHRASES:
                    self._known.clear()
                self._known[phrase] = self.embed(self.tokens([phrase]))[0].cpu()
        weight = self.clip.text_projection.weight
        return torch.stack([self._known[phrase] for phrase in phrases]).to(weight.device)

    def embed(self, tokens: Tensor) -> Tensor:
        """Embeddings (phrases, projection) of token rows (phrases, length), computed anew.

        Attention looks back only, so whatever follows the end of a text changes nothing.
        """
        device = self.clip.text_projection.weight.device
        embedding: Tensor = self.clip(input_ids=tokens.to(device)).text_embeds
        return embedding.float()

    def tokens(self, phrases: Sequence[str]) -> Tensor:
        """CLIP's byte-pair tokens (phrases, positions): start, text, end, zeros."""
        if self._tokenizer is None:
            # open_clip ships the vocabulary, so that nothing is downloaded.
            tokenizer = open_clip_module().SimpleTokenizer
            self._tokenizer = tokenizer(context_length=self.config.positions)
        rows: Tensor = self._tokenizer(list(phrases))
        return rows


def load_text_encoder(folder: Path) -> TextEncoder:
    """Text tower of a model folder, in evaluation mode and full precision: it runs once."""
    config = from_dict(TextConfig, read_config(folder))
    with torch.device('meta'):
        encoder = TextEncoder(config)
    load_weights(encoder, folder)
    return encoder.float().eval()
