# SPDX-License-Identifier: Apache-2.0
"""Patch embeddings in the space of the text, from image towers trained on whole images.

A tower's last tokens have been mixed over the whole image by the attention that serves its
pooled output. The training-free ways around that differ by tower:

    maskclip  the value path without query-key mixing: of the last block of a vision
              transformer, of the attention pool of a ResNet, of the pooling head of a SigLIP
    naclip    the last block with key-key attention and a Gaussian window (vision transformer)
    plain     the last tokens as they are; the baseline, usually the worst
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidplan_core.errors import ModelError

METHODS = ('maskclip', 'naclip', 'plain')
_NACLIP_WINDOW_PATCHES = 5.0


def dense_embeddings(tower: nn.Module, images: Tensor, method: str = 'maskclip') -> Tensor:
    """Return unit embeddings of patches, (batch, dim, rows, columns); differentiable.

    Args:
        tower: the `visual` of an open_clip model.
        images: normalised, at the tower's image size, (batch, 3, height, width).
        method: one of `METHODS`.

    Raises:
        ModelError: the tower has no such dense path.
    """
    kind = type(tower).__name__
    path = _PATHS.get((kind, method))
    if path is None:
        known = ', '.join(dense_methods(tower)) or 'none'
        raise ModelError(f"{kind} has no dense method '{method}'; known for it: {known}")
    return F.normalize(path(tower, images), dim=1)


def dense_methods(tower: nn.Module) -> tuple[str, ...]:
    """Names of the dense paths of a tower."""
    return tuple(method for kind, method in _PATHS if kind == type(tower).__name__)


def tokens_before_last_block(tower: Any, images: Tensor) -> Tensor:
    """Return a vision transformer's tokens, class token first, (batch, 1 + patches, width)."""
    tokens = tower._embeds(images)
    for block in tower.transformer.resblocks[:-1]:
        tokens = run_block(block, tokens)
    return tokens


def run_block(block: Any, tokens: Tensor) -> Tensor:
    """Return what open_clip's block returns, by matrix products written out.

    On a CPU, torch's attention module copies its weights for every token in bfloat16, and its
    fused kernel takes twice as long backwards as these. Blocks of other kinds run as they are.
    """
    attention = block.attn
    if not isinstance(attention, nn.MultiheadAttention) or attention.in_proj_weight is None:
        return block(tokens)
    projected = F.linear(block.ln_1(tokens), attention.in_proj_weight, attention.in_proj_bias)
    heads = projected.unflatten(-1, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4)
    queries, keys, values = heads.unbind(0)
    scores = queries @ keys.transpose(-2, -1) * attention.head_dim**-0.5
    mixed = (scores.softmax(dim=-1) @ values).transpose(1, 2).flatten(2)
    tokens = tokens + block.ls_1(attention.out_proj(mixed))
    return tokens + block.ls_2(block.mlp(block.ln_2(tokens)))


def value_path(tower: Any, tokens: Tensor) -> Tensor:
    """Return embeddings of the patches by the last block's value path, (batch, patches, dim).

    Args:
        tower: a vision transformer.
        tokens: what `tokens_before_last_block` returns.
    """
    block = _last_block(tower)
    _, _, value_weight, value_bias = _split_projection(block.attn)
    values = F.linear(block.ln_1(tokens[:, 1:]), value_weight, value_bias)
    return _vit_project(tower, block.attn.out_proj(values))


def _vit_maskclip(tower: Any, images: Tensor) -> Tensor:
    patches = value_path(tower, tokens_before_last_block(tower, images))
    return _to_map(tower, images, patches)


def _vit_naclip(tower: Any, images: Tensor) -> Tensor:
    block = _last_block(tower)
    tokens = block.ln_1(tokens_before_last_block(tower, images)[:, 1:])
    key_weight, key_bias, value_weight, value_bias = _split_projection(block.attn)
    heads = block.attn.num_heads
    keys = F.linear(tokens, key_weight, key_bias).unflatten(-1, (heads, -1)).transpose(1, 2)
    values = F.linear(tokens, value_weight, value_bias).unflatten(-1, (heads, -1)).transpose(1, 2)
    logits = keys @ keys.transpose(-2, -1) * keys.shape[-1] ** -0.5
    window = _gaussian_window(_grid(tower, images), images.device)
    mixed = ((logits + window).softmax(dim=-1) @ values).transpose(1, 2).flatten(2)
    return _to_map(tower, images, _vit_project(tower, block.attn.out_proj(mixed)))


def _vit_plain(tower: Any, images: Tensor) -> Tensor:
    tokens = tower.transformer(tower._embeds(images))[:, 1:]
    return _to_map(tower, images, _vit_project(tower, tokens))


def _resnet_maskclip(tower: Any, images: Tensor) -> Tensor:
    features = images
    for stage in (tower.stem, tower.layer1, tower.layer2, tower.layer3, tower.layer4):
        features = stage(features)
    tokens = features.flatten(2).transpose(1, 2)
    pool = tower.attnpool
    mixed = pool.c_proj(pool.v_proj(tokens))
    return mixed.transpose(1, 2).unflatten(2, features.shape[-2:])


def _timm_maskclip(tower: Any, images: Tensor) -> Tensor:
    pool = getattr(tower.trunk, 'attn_pool', None)
    if pool is None:
        raise ModelError('the timm tower has no attention pool; its dense method is plain')
    tokens = _timm_tokens(tower, images)
    if pool.pos_embed is not None:
        tokens = tokens + pool.pos_embed.to(tokens)
    mixed = pool.proj(pool.kv(tokens).chunk(2, dim=-1)[1])
    if pool.mlp is not None:
        mixed = mixed + pool.mlp(pool.norm(mixed))
    return _to_map(tower.trunk.patch_embed, images, _timm_project(tower, mixed))


def _timm_plain(tower: Any, images: Tensor) -> Tensor:
    tokens = _timm_project(tower, _timm_tokens(tower, images))
    return _to_map(tower.trunk.patch_embed, images, tokens)


_PATHS = {
    ('VisionTransformer', 'maskclip'): _vit_maskclip,
    ('VisionTransformer', 'naclip'): _vit_naclip,
    ('VisionTransformer', 'plain'): _vit_plain,
    ('ModifiedResNet', 'maskclip'): _resnet_maskclip,
    ('TimmModel', 'maskclip'): _timm_maskclip,
    ('TimmModel', 'plain'): _timm_plain,
}


def _last_block(tower: Any) -> Any:
    block = tower.transformer.resblocks[-1]
    if tower.attn_pool is not None or not isinstance(block.attn, nn.MultiheadAttention):
        raise ModelError('the tower pools or attends in its own way; its dense method is plain')
    return block


def _split_projection(attention: nn.MultiheadAttention) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the key weight and bias, then the value weight and bias, of one stacked matrix."""
    _, key_weight, value_weight = attention.in_proj_weight.chunk(3)
    _, key_bias, value_bias = attention.in_proj_bias.chunk(3)
    return key_weight, key_bias, value_weight, value_bias


def _vit_project(tower: Any, tokens: Tensor) -> Tensor:
    tokens = tower.ln_post(tokens)
    return tokens if tower.proj is None else tokens @ tower.proj


def _timm_tokens(tower: Any, images: Tensor) -> Tensor:
    tokens = tower.trunk.forward_features(images)
    if tokens.ndim != 3:
        raise ModelError('the timm tower gives no patch tokens; use a vision transformer')
    return tokens[:, tower.trunk.num_prefix_tokens :]


def _timm_project(tower: Any, tokens: Tensor) -> Tensor:
    return tower.head(tower.trunk.head(tower.trunk.fc_norm(tokens)))


def _grid(patcher: Any, images: Tensor) -> tuple[int, int]:
    rows, columns = patcher.patch_size
    return images.shape[-2] // rows, images.shape[-1] // columns


def _to_map(patcher: Any, images: Tensor, tokens: Tensor) -> Tensor:
    return tokens.transpose(1, 2).unflatten(2, _grid(patcher, images))


def _gaussian_window(grid: tuple[int, int], device: torch.device) -> Tensor:
    """Return exp(-d^2 / 2 s^2) between all pairs of patches, (patches, patches)."""
    axes = [torch.arange(size, device=device, dtype=torch.float32) for size in grid]
    places = torch.cartesian_prod(*axes)
    squared = (places[:, None] - places[None]).square().sum(dim=-1)
    return torch.exp(-squared / (2 * _NACLIP_WINDOW_PATCHES**2))
