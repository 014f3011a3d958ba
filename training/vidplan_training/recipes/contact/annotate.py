# SPDX-License-Identifier: Apache-2.0
"""Latents and relevancy of contact episodes, computed once and kept beside the pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.autoencoders.build import AnyAutoencoder
from vidplan_training.data.dataset import Shard
from vidplan_training.data.latents import LATENTS, encode

RELEVANCY = 'relevancy'
# Relevancy is kept of every other frame, those at which decisions are made.
EVERY = 2
LOOKED_AT_ONCE = 120
SHARED = 2  # frames that all branches of a set have in common


@dataclass(frozen=True, eq=False)
class Annotator:
    """Encodes pictures, and looks for all kinds in them."""

    autoencoder: AnyAutoencoder
    scorer: SemanticScorer
    device: torch.device

    def latents_of(self, shard: Shard) -> np.ndarray:
        """Raw latents float16 (episodes, frames, channels, views * rows, columns) of a shard."""
        path = shard.folder / f'{LATENTS}.npy'
        if not path.exists():
            np.save(path, self._encoded(shard.array('images'), shard.branches))
        return np.load(path, mmap_mode='r')

    def relevancy_of(self, shard: Shard) -> np.ndarray:
        """Maps float16 (episodes, frames, kinds, views, rows, columns) of a shard.

        Of frames 0, 2, 4 and so on; of branch sets (sets, 1, ...) of the present alone.
        """
        path = shard.folder / f'{RELEVANCY}.npy'
        if not path.exists():
            images, branches = shard.array('images'), shard.branches
            chosen = images[::branches, 1:2] if branches else images[:, ::EVERY]
            np.save(path, self._looked(chosen, shard.meta['kinds']))
        return np.load(path, mmap_mode='r')

    def _encoded(self, images: np.ndarray, branches: int) -> np.ndarray:
        if not branches:
            return encode(images, self.autoencoder, self.device)
        shared = encode(images[::branches, :SHARED], self.autoencoder, self.device)
        own = encode(images[:, SHARED:], self.autoencoder, self.device)
        return np.concatenate([shared.repeat(branches, 0), own], 1)

    @torch.no_grad()
    def _looked(self, images: np.ndarray, kinds: list[str]) -> np.ndarray:
        flat = torch.from_numpy(np.array(images)).flatten(0, 2).permute(0, 3, 1, 2)
        parts = []
        for some in flat.split(LOOKED_AT_ONCE):
            dense = self.scorer.dense(some.to(self.device).float() / 255.0)
            parts.append(self.scorer.compare(dense, kinds).half().cpu())
        maps = torch.cat(parts).unflatten(0, images.shape[:3])
        return maps.transpose(2, 3).numpy()
