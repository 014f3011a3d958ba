# SPDX-License-Identifier: Apache-2.0
"""Means of a stream with bootstrap intervals, in memory that does not grow with the data.

The Poisson bootstrap (Hanley and MacGibbon 2006): in every resample an episode counts as often
as a Poisson variable of mean 1 says. The draws come from seed and episode alone, so values may
arrive in any order, from any worker, and accumulators of one seed can be added and compared.
"""

from __future__ import annotations

import numpy as np

from vidplan_core.statistics import Interval

RESAMPLES = 1000


class StreamingMeans:
    """Means of arrays of one shape, once as they are and once per bootstrap resample.

    Values of one episode are not independent and share their draw. NaN entries are left out.
    """

    def __init__(self, shape: tuple[int, ...], resamples: int = RESAMPLES, seed: int = 0) -> None:
        self.shape, self.resamples, self.seed = shape, resamples, seed
        self._sums = np.zeros((resamples + 1, int(np.prod(shape))))
        self._counts = np.zeros_like(self._sums)

    def add(self, values: np.ndarray, episode: int) -> None:
        """Count one array of the shape; raises ValueError for another shape."""
        if np.shape(values) != self.shape:
            raise ValueError(f'expected values of shape {self.shape}, got {np.shape(values)}')
        flat = np.asarray(values, np.float64).ravel()
        known = ~np.isnan(flat)
        weights = self._weights(episode)
        self._sums += np.outer(weights, np.where(known, flat, 0.0))
        self._counts += np.outer(weights, known)

    def merge(self, other: StreamingMeans) -> None:
        """Add what another accumulator saw; raises ValueError if it is of another kind."""
        mine, its = (self.shape, self.resamples, self.seed), (
            other.shape, other.resamples, other.seed
        )  # fmt: skip
        if mine != its:
            raise ValueError(f'accumulators of {mine} and {its} (shape, resamples, seed) differ')
        self._sums += other._sums
        self._counts += other._counts

    def sums(self) -> np.ndarray:
        """Weighted sums (1 + resamples, *shape); the first row counts everything once."""
        return self._sums.reshape(-1, *self.shape)

    def counts(self) -> np.ndarray:
        """Weighted numbers of values (1 + resamples, *shape)."""
        return self._counts.reshape(-1, *self.shape)

    def means(self, *axes: int) -> np.ndarray:
        """Means (1 + resamples, ...) over entries and, if given, over axes of the shape too.

        NaN where nothing was counted.
        """
        where = tuple(axis + 1 if axis >= 0 else axis for axis in axes)
        sums, counts = self.sums().sum(axis=where), self.counts().sum(axis=where)
        with np.errstate(invalid='ignore', divide='ignore'):
            return np.where(counts > 0, sums / counts, np.nan)

    def _weights(self, episode: int) -> np.ndarray:
        draws = np.random.default_rng([self.seed, episode]).poisson(1.0, self.resamples)
        return np.concatenate([[1.0], draws])


def interval_of(estimates: np.ndarray, confidence: float = 0.95) -> Interval:
    """Percentile interval of a statistic's estimates (1 + resamples,), the first left out.

    (nan, nan) where no resample holds a value.
    """
    resampled = estimates[1:][~np.isnan(estimates[1:])]
    if resampled.size == 0:
        return float('nan'), float('nan')
    tail = 50.0 * (1.0 - confidence)
    low, high = np.percentile(resampled, [tail, 100.0 - tail])
    return float(low), float(high)
