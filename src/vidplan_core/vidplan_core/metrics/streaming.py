# SPDX-License-Identifier: Apache-2.0
"""Means of a stream with bootstrap intervals, in memory that does not grow with the data.

The draws of the bootstrap come from seed and episode alone (see episode_sums.py), so values may
arrive in any order, from any worker, and accumulators of one seed can be added and compared.
"""

from __future__ import annotations

import numpy as np

from vidplan_core.metrics.episode_sums import EpisodeSums
from vidplan_core.metrics.intervals import Interval, percentile_interval

RESAMPLES = 1000


class StreamingMeans:
    """Means of arrays of one shape, once as they are and once per bootstrap resample.

    Values of one episode are not independent and share their draw. NaN entries are left out.
    """

    def __init__(self, shape: tuple[int, ...], resamples: int = RESAMPLES, seed: int = 0) -> None:
        self.shape = shape
        self._sums = EpisodeSums((2, *shape), resamples, seed)  # of values, and how many

    def add(self, values: np.ndarray, episode: int) -> None:
        """Count one array of the shape; raises ValueError for another shape."""
        if np.shape(values) != self.shape:
            raise ValueError(f'expected values of shape {self.shape}, got {np.shape(values)}')
        known = ~np.isnan(values)
        self._sums.add(episode, np.stack([np.where(known, values, 0.0), known]))

    def merge(self, other: StreamingMeans) -> None:
        """Add what another accumulator saw; raises ValueError if it is of another kind."""
        self._sums.merge(other._sums)

    def sums(self) -> np.ndarray:
        """Weighted sums (1 + resamples, *shape); the first row counts everything once."""
        return self._sums.every()[:, 0]

    def counts(self) -> np.ndarray:
        """Weighted numbers of values (1 + resamples, *shape)."""
        return self._sums.every()[:, 1]

    def means(self, *axes: int) -> np.ndarray:
        """Means (1 + resamples, ...) over entries and, if given, over axes of the shape too.

        NaN where nothing was counted.
        """
        where = tuple(axis + 1 if axis >= 0 else axis for axis in axes)
        sums, counts = (part.sum(axis=where) for part in self._sums.every().swapaxes(0, 1))
        with np.errstate(invalid='ignore', divide='ignore'):
            return np.where(counts > 0, sums / counts, np.nan)


def interval_of(estimates: np.ndarray, confidence: float = 0.95) -> Interval:
    """Percentile interval of a statistic's estimates (1 + resamples,), the first left out.

    (nan, nan) where no resample holds a value.
    """
    return percentile_interval(estimates[1:], confidence)
