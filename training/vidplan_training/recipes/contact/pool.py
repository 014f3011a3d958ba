# SPDX-License-Identifier: Apache-2.0
"""Samples of the value that a stretch of iterations shares: imagining them costs most."""

from __future__ import annotations

import torch

from vidplan_training.recipes.contact.value import BRANCHES, ValueBatch, ValueSampler, rows_of


class SharedSamples:
    """Samples that a stretch of iterations shares, `size` batches `reuse` times each."""

    def __init__(
        self, samples: ValueSampler, batch: int, size: int, reuse: int, seed: int
    ) -> None:
        self._samples, self._batch, self._seed = samples, batch, seed
        self._size, self._iterations = size, size * reuse
        self._number = -1
        self._kept: ValueBatch | None = None

    def at(self, iteration: int) -> ValueBatch:
        """Half of a pool: whole branch sets first, then other windows."""
        number = iteration // self._iterations
        sets, size = max(1, self._batch // 2 // BRANCHES), self._size
        if number != self._number or self._kept is None:
            rng = torch.Generator().manual_seed(7_000_003 * self._seed + number)
            self._kept = self._samples.make(rng, size * sets, size * self._batch // 2)
            self._number = number
        rng = torch.Generator().manual_seed(iteration)
        chosen = torch.randperm(size * sets, generator=rng)[:sets]
        others = torch.randperm(size * self._batch // 2, generator=rng)[: self._batch // 2]
        index = torch.cat([rows_of(chosen), size * sets * BRANCHES + others])
        return self._kept.rows(index.to(self._kept.to_go.device))
