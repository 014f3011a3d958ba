# SPDX-License-Identifier: Apache-2.0
"""The part of an iteration's batch that one process computes at a time.

A batch is defined by its iteration alone. Every process draws the same indices and the same
noise for the whole batch and computes its own rows, so that a curve depends neither on the
number of processes nor on how often gradients are accumulated.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidplan_core.errors import ConfigError


@dataclass(frozen=True)
class BatchShard:
    """Part `index` of `count` equal parts of a batch."""

    index: int = 0
    count: int = 1

    def rows(self, batch: int) -> slice:
        """Own rows of a batch; raises ConfigError when it cannot be divided evenly."""
        if batch % self.count:
            raise ConfigError(
                f'a batch of {batch} cannot be divided into {self.count} equal parts (processes '
                f'times accumulation); choose a multiple of {self.count}'
            )
        size = batch // self.count
        return slice(self.index * size, (self.index + 1) * size)

    def of(self, whole: Tensor) -> Tensor:
        """Own rows of what was made for the whole batch, (batch, ...)."""
        return whole[self.rows(len(whole))]

    def randn_like(self, part: Tensor) -> Tensor:
        """Own rows of normal noise for the whole batch, shaped like one's own part of it."""
        shape = (self.count * len(part), *part.shape[1:])
        return self.of(torch.randn(shape, dtype=part.dtype, device=part.device))

    def randn(self, size: int) -> Tensor:
        """Own part (size,) of normal numbers for the whole batch."""
        return self.of(torch.randn(self.count * size))

    def rand(self, size: int) -> Tensor:
        """Own part (size,) of uniform numbers for the whole batch."""
        return self.of(torch.rand(self.count * size))


WHOLE = BatchShard()
