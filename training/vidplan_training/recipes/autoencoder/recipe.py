# SPDX-License-Identifier: Apache-2.0
"""Train the per-view autoencoder on images of the cell."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.models.io import load_weights
from vidplan_core.world_model.autoencoders.build import save_autoencoder
from vidplan_core.world_model.autoencoders.config import AutoencoderConfig
from vidplan_core.world_model.autoencoders.convolutional import Autoencoder
from vidplan_training.data.dataset import split
from vidplan_training.engine.batch_shard import WHOLE, BatchShard
from vidplan_training.engine.trainer import Trainer
from vidplan_training.recipes.autoencoder.equivariance import (
    mean_inside,
    random_warps,
    unwarped,
    warp,
    warp_half,
    with_noise,
)
from vidplan_training.recipes.autoencoder.settings import AutoencoderRecipe

KL_WEIGHT = 2e-4


class ImageBatches:
    """Random batches of single views, drawn from a generator seeded by the iteration."""

    def __init__(self, data: Path, held_out: bool, batch: int, seed: int) -> None:
        self._arrays = [shard.array('images') for shard in split(data, held_out)]
        self._batch, self._seed = batch, seed

    def __call__(self, iteration: int, shard: BatchShard = WHOLE) -> Tensor:
        """Own rows of a batch, (rows, 3, height, width) in [-1, 1]."""
        rng = np.random.default_rng([self._seed, iteration])
        places = [self._place(rng) for _ in range(self._batch)]
        picked = [np.asarray(array[where]) for array, where in places[shard.rows(self._batch)]]
        images = torch.from_numpy(np.stack(picked)).permute(0, 3, 1, 2)
        return images.float() / 127.5 - 1.0

    def _place(self, rng: np.random.Generator) -> tuple[np.ndarray, tuple[int, ...]]:
        array = self._arrays[rng.integers(len(self._arrays))]
        return array, tuple(int(rng.integers(size)) for size in array.shape[:3])


def loss_of(
    autoencoder: Autoencoder,
    images: Tensor,
    equivariance: float = 0.0,
    noise: float = 0.0,
    shard: BatchShard = WHOLE,
) -> Tensor:
    """Absolute plus squared error plus a little divergence from a normal latent.

    Args:
        autoencoder: to train.
        images: (batch, 3, height, width) in [-1, 1].
        equivariance: weight of how badly latents follow moved pictures; 0 moves none.
        noise: that some latents are decoded with, in deviations.
        shard: part of the batch that the images are.
    """
    with torch.autocast(images.device.type, torch.bfloat16):
        mean, log_variance = autoencoder.moments(images)
        warped = (
            warp_half(autoencoder, images, mean, shard) if equivariance else unwarped(images, mean)
        )
        sample = warped.latents + shard.randn_like(mean) * (0.5 * log_variance).exp()
        reconstruction = autoencoder.decode(with_noise(sample, noise, shard))
    error = reconstruction.float() - warped.pictures.values
    size = mean_inside(error.abs() + 4.0 * error**2, warped.pictures.inside)
    divergence = 0.5 * (mean.float() ** 2 + log_variance.float().exp() - 1 - log_variance.float())
    return size + equivariance * warped.error + KL_WEIGHT * divergence.mean()


@torch.no_grad()
def psnr_of_warped(autoencoder: Autoencoder, images: Tensor) -> float:
    """PSNR in dB of moved latents, decoded, beside moved pictures (batch, 3, height, width)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        maps = random_warps(len(images), WHOLE)
    wanted, latents = warp(images, maps), warp(autoencoder.encode(images), maps)
    error = (autoencoder.decode(latents.values).clamp(-1, 1) - wanted.values.clamp(-1, 1)) / 2
    return float(-10 * mean_inside(error.square(), wanted.inside).log10())


@torch.no_grad()
def psnr_by_view(autoencoder: Autoencoder, data: Path, frames: int = 100) -> dict[str, float]:
    """Reconstruction PSNR in dB per view on held-out frames, pixels in [0, 1]."""
    shard = split(data, True)[0]
    array, names = shard.array('images'), shard.meta.get('views', default_layout().views)
    flat = array.reshape(-1, *array.shape[2:])
    picked = flat[np.linspace(0, len(flat) - 1, frames).astype(int)]
    result = {}
    for view, name in enumerate(names):
        images = torch.from_numpy(picked[:, view]).permute(0, 3, 1, 2).float() / 127.5 - 1.0
        images = images.to(next(autoencoder.parameters()).device)
        restored = autoencoder.decode(autoencoder.encode(images)).clamp(-1, 1)
        error = ((restored - images) / 2).square().mean(dim=(1, 2, 3))
        result[name] = round(float((-10 * error.log10()).mean()), 2)
    return result


def run(recipe: AutoencoderRecipe) -> int:
    """Train, then write the averaged weights and their held-out PSNR."""
    torch.manual_seed(recipe.seed)
    autoencoder = Autoencoder(AutoencoderConfig(latent_channels=recipe.latent_channels))
    if recipe.start:
        load_weights(autoencoder, recipe.start)
    autoencoder.encoder.requires_grad_(not recipe.decoder_only)
    # The layout alone, which the annotations of PyTorch leave out.
    autoencoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    trainer = Trainer(autoencoder, recipe.trainer, recipe.work)
    batches = ImageBatches(recipe.data, False, recipe.batch, recipe.seed)

    def loss(iteration: int) -> Tensor:
        images = batches(iteration, trainer.shard).to(trainer.device)
        ordered = images.contiguous(memory_format=torch.channels_last)
        return loss_of(autoencoder, ordered, recipe.equivariance, recipe.noise, trainer.shard)

    trainer.run(loss, lambda _: f'held-out PSNR {psnr_by_view(autoencoder, recipe.data, 40)}')
    trainer.use_average()
    if trainer.main:
        _write(autoencoder.cpu(), recipe)
    return 0


def _write(autoencoder: Autoencoder, recipe: AutoencoderRecipe) -> None:
    save_autoencoder(recipe.out, autoencoder)
    check = ImageBatches(recipe.data, True, recipe.checked, recipe.seed)(0)
    metrics = {
        'held_out_psnr_db': psnr_by_view(autoencoder, recipe.data, recipe.measured),
        'held_out_moved_psnr_db': round(psnr_of_warped(autoencoder, check), 2),
        'seed': recipe.seed,
    }
    (recipe.out / 'metrics.json').write_text(json.dumps(metrics, indent=1) + '\n')
    print(metrics)
