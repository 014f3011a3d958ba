# SPDX-License-Identifier: Apache-2.0
"""Latents that move as the picture moves, and a decoder that forgives what a model gets wrong.

A world model of moving things has to predict latents of shifted things. Where an encoder answers
a shift by a fraction of its stride with quite other latents, a small network cannot: what it is
unsure of is decoded as coloured noise. So the latents of a shifted picture are asked to be the
shifted latents, and shifted latents to be decoded to the shifted picture (as in EQ-VAE,
Kouzelis et al. 2025); and some latents are decoded with noise (as in RAE, Zheng et al. 2025).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vidplan_core.world_model.autoencoders.convolutional import Autoencoder
from vidplan_training.engine.batch_shard import BatchShard

SHIFT = 0.12  # of height and width, to either side: more than a latent's place
ZOOM = 0.15  # of the logarithm of the scale
SHARE_OF_WARPED, SHARE_OF_NOISY = 0.5, 0.5


@dataclass(frozen=True)
class Warped:
    """Pictures or latents warped, and where they show what was in the picture before.

    values: (batch, channels, rows, columns).
    inside: bool (batch, 1, rows, columns).
    """

    values: Tensor
    inside: Tensor


def random_warps(count: int, shard: BatchShard) -> Tensor:
    """Affine maps (count, 2, 3) from moved to original places in [-1, 1], shifts and zooms."""
    x, y, zoom = (2.0 * shard.rand(count) - 1.0 for _ in range(3))
    scale, zero = (ZOOM * zoom).exp(), torch.zeros(count)
    rows = [scale, zero, 2 * SHIFT * x, zero, scale, 2 * SHIFT * y]
    return torch.stack(rows, dim=-1).unflatten(1, (2, 3))


def warp(values: Tensor, maps: Tensor) -> Warped:
    """Move values (batch, channels, rows, columns) in the same way whatever their size."""
    size = [len(values), 1, *values.shape[-2:]]
    grid = functional.affine_grid(maps.to(values.device), size, align_corners=False)
    sampled = functional.grid_sample(
        values.float(), grid, mode='bicubic', padding_mode='border', align_corners=False
    )
    return Warped(sampled, (grid.abs() < 1.0).all(-1)[:, None])


def inconsistency(latents: Tensor, expected: Warped) -> Tensor:
    """Mean squared distance from moved latents, in variances of each channel."""
    variance = expected.values.detach().var((0, 2, 3), keepdim=True).clamp_min(1e-3)
    apart = (latents.float() - expected.values).square() / variance
    return mean_inside(apart, expected.inside)


def mean_inside(values: Tensor, inside: Tensor) -> Tensor:
    """Mean of values (batch, channels, rows, columns) over the places (batch, 1, ...) inside."""
    return (values * inside).sum() / (inside.sum() * values.shape[1]).clamp_min(1)


@dataclass(frozen=True)
class WarpedBatch:
    """A batch, half of it warped as latents.

    latents: to decode, (batch, channels, rows, columns).
    pictures: what they should be decoded to.
    error: how far the latents of moved pictures are from moved latents, in variances.
    """

    latents: Tensor
    pictures: Warped
    error: Tensor


def warp_half(
    autoencoder: Autoencoder, images: Tensor, latents: Tensor, shard: BatchShard
) -> WarpedBatch:
    """Move pictures (batch, 3, height, width) in [-1, 1] and their latents alike."""
    maps = random_warps(len(images), shard)
    pictures, expected = warp(images, maps), warp(latents, maps)
    error = inconsistency(autoencoder.encode(pictures.values.clamp(-1.0, 1.0)), expected)
    chosen = shard.rand(len(images)) < SHARE_OF_WARPED
    chosen = chosen.to(images.device)[:, None, None, None]
    return WarpedBatch(
        torch.where(chosen, expected.values.to(latents), latents),
        Warped(torch.where(chosen, pictures.values, images), pictures.inside | ~chosen),
        error,
    )


def unwarped(images: Tensor, latents: Tensor) -> WarpedBatch:
    """The same, where nothing is asked of latents."""
    everywhere = torch.ones_like(images[:, :1], dtype=torch.bool)
    return WarpedBatch(latents, Warped(images, everywhere), latents.new_zeros(()))


def with_noise(latents: Tensor, size: float, shard: BatchShard) -> Tensor:
    """Latents, some of them with noise of up to a few `size` deviations of their channel."""
    count = len(latents)
    chosen = shard.rand(count) < SHARE_OF_NOISY
    sizes = (size * shard.randn(count).abs() * chosen).to(latents)[:, None, None, None]
    spread = latents.detach().float().std((0, 2, 3), keepdim=True).to(latents)
    return latents + sizes * spread * shard.randn_like(latents)
