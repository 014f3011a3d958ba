# SPDX-License-Identifier: Apache-2.0
"""Self-attention over the places of a picture, in full precision on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class SelfAttention:
    """Processor of diffusers' attention blocks: what theirs does, but for the precision on a CPU.

    PyTorch's bfloat16 kernels there take up to five times as long, most of all backwards, for
    pictures as small as a bottleneck; projections before and after stay in bfloat16.
    """

    def __call__(
        self, attn: Any, hidden_states: Tensor, encoder_hidden_states: None = None,
        attention_mask: None = None, temb: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Attend, (batch, channels, rows, columns) to the same; `temb` is not read."""
        residual, rows = hidden_states, hidden_states.shape[-2]
        tokens = hidden_states.flatten(2)
        if attn.group_norm is not None:
            tokens = attn.group_norm(tokens)
        tokens = tokens.mT
        query, key, value = (
            project(tokens).unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for project in (attn.to_q, attn.to_k, attn.to_v)
        )
        mixed = _attend(query, key, value).transpose(1, 2).flatten(2)
        for layer in attn.to_out:
            mixed = layer(mixed)
        found: Tensor = mixed.mT.unflatten(-1, (rows, -1))
        if attn.residual_connection:
            found = found + residual
        return found / attn.rescale_output_factor


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Mixed values (batch, heads, places, width), in the precision of the query."""
    if query.device.type != 'cpu':
        return functional.scaled_dot_product_attention(query, key, value)
    wide = torch.promote_types(query.dtype, torch.float32)
    with torch.autocast('cpu', enabled=False):
        mixed = functional.scaled_dot_product_attention(
            query.to(wide), key.to(wide), value.to(wide)
        )
    return mixed.to(query.dtype)
