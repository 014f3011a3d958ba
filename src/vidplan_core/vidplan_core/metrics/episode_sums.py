# SPDX-License-Identifier: Apache-2.0
"""Sums over episodes with intervals, in memory that does not grow with the data.

Every metric here is a function of sums. Beside the sums themselves, replicates are kept in which
each episode counts a Poisson(1) number of times: the streaming bootstrap (Hanley and MacGibbon
2006), drawn from the seed and the episode's number alone, so that workers agree and merge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vidplan_core.metrics.intervals import percentile_interval

RESAMPLES = 200

Statistic = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class IntervalEstimate:
    """A number with its interval; NaN where the data say nothing."""

    value: float
    low: float
    high: float


class EpisodeSums:
    """A sum of arrays of one shape, and its bootstrap replicates over episodes."""

    def __init__(self, shape: Sequence[int], resamples: int = RESAMPLES, seed: int = 0) -> None:
        self.shape, self.resamples, self.seed = tuple(shape), resamples, seed
        self.total = np.zeros(self.shape)
        self._replicates = np.zeros((resamples, self.total.size))

    def add(self, episode: int, values: np.ndarray) -> None:
        """Count what an episode contributes; it may contribute several times.

        Raises:
            ValueError: the values have another shape.
        """
        if values.shape != self.shape:
            raise ValueError(f'sums of {self.shape} cannot take values of {values.shape}')
        self.total += values
        flat = values.reshape(-1)
        filled = np.flatnonzero(flat)
        weights = np.random.default_rng([self.seed, episode]).poisson(1.0, self.resamples)
        self._replicates[:, filled] += weights[:, None] * flat[filled]

    def merge(self, other: EpisodeSums) -> None:
        """Take over what another worker counted.

        Raises:
            ValueError: it counts something else, or with other replicates.
        """
        mine = (self.shape, self.resamples, self.seed)
        if mine != (other.shape, other.resamples, other.seed):
            raise ValueError('sums that differ in shape, replicates or seed do not merge')
        self.total += other.total
        self._replicates += other._replicates

    def every(self) -> np.ndarray:
        """The sums and then their replicates, (1 + resamples, *shape)."""
        replicates = self._replicates.reshape(-1, *self.shape)
        return np.concatenate([self.total[None], replicates])

    def measure(self, statistic: Statistic, confidence: float = 0.95) -> IntervalEstimate:
        """A function of the sums, (..., *shape) -> (...), with its percentile interval."""
        with np.errstate(divide='ignore', invalid='ignore'):
            value = float(statistic(self.total))
            draws = statistic(self._replicates.reshape(-1, *self.shape))
        if not np.isfinite(value):
            return IntervalEstimate(value, float('nan'), float('nan'))
        return IntervalEstimate(value, *percentile_interval(draws, confidence))


class EpisodeMeans:
    """Named means with intervals over episodes."""

    def __init__(self, names: Sequence[str], resamples: int = RESAMPLES, seed: int = 0) -> None:
        self.names = tuple(names)
        self.sums = EpisodeSums((len(self.names), 2), resamples, seed)

    def add(self, episode: int, **values: np.ndarray | float) -> None:
        """Count values of some names; NaN entries are left out."""
        row = np.zeros(self.sums.shape)
        for name, given in values.items():
            numbers = np.asarray(given, np.float64).reshape(-1)
            numbers = numbers[~np.isnan(numbers)]
            row[self.names.index(name)] = numbers.sum(), numbers.size
        self.sums.add(episode, row)

    def merge(self, other: EpisodeMeans) -> None:
        """Take over another worker's."""
        self.sums.merge(other.sums)

    def mean(self, name: str) -> IntervalEstimate:
        """Mean of one name."""
        row = self.names.index(name)
        return self.sums.measure(lambda sums: sums[..., row, 0] / sums[..., row, 1])
