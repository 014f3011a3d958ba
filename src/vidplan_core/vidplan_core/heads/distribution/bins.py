# SPDX-License-Identifier: Apache-2.0
"""Bins over a bounded quantity: errors of latents, or values."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from vidplan_core.errors import ConfigError

KINDS = ('uniform', 'power', 'log')
ERROR_BINS, ERROR_HIGH = 30, 10.0  # the paper's, appendix A.6
VALUE_BINS = 20  # over [0, 1], the same place


@dataclass(frozen=True)
class Bins:
    """`count` bins over [0, high], what lies above counts as the last bin's.

    Attributes:
        kind: `uniform`, the paper's; `power`, whose edges grow with the square of their number,
            so that small errors are resolved and entropy still grows with their size; `log`,
            a first bin up to `finest` and equal ratios after it, which resolves most and whose
            entropy measures the shape of a distribution, not its scale.
        count: number of bins, at least 2.
        high: upper end of the last bin.
        finest: upper end of the first bin, for `log`.
    """

    kind: str = 'uniform'
    count: int = ERROR_BINS
    high: float = ERROR_HIGH
    finest: float = 0.01
    edges: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"bins are one of {KINDS}, not '{self.kind}'")
        if self.count < 2 or not 0.0 < self.finest < self.high:
            raise ConfigError(
                f'bins need a count of at least 2 and 0 < finest < high; got {self.count}, '
                f'{self.finest} and {self.high}'
            )
        object.__setattr__(self, 'edges', self._edges())

    @property
    def widths(self) -> Tensor:
        """Widths (count,), float64."""
        return self.edges.diff()

    @property
    def means(self) -> Tensor:
        """Middles (count,), float64: what a bin counts as in an expectation."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    def index(self, values: Tensor) -> Tensor:
        """Number of the bin of each value, int64; a value on an edge belongs above it."""
        inner = self.edges[1:-1].to(values)
        return torch.bucketize(values.detach(), inner, right=True)

    def _edges(self) -> Tensor:
        ramp = torch.linspace(0.0, 1.0, self.count + 1, dtype=torch.float64)
        if self.kind == 'uniform':
            return self.high * ramp
        if self.kind == 'power':
            return self.high * ramp**2
        exponent = torch.linspace(0.0, 1.0, self.count, dtype=torch.float64)
        grown = self.finest * (self.high / self.finest) ** exponent
        return torch.cat([grown.new_zeros(1), grown])
