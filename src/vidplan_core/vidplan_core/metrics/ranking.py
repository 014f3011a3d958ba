# SPDX-License-Identifier: Apache-2.0
"""Whether what is uncertain is also wrong: rank correlation, sparsification, separation.

Numbers are counted in fine fixed bins, so that memory does not grow with the data; values that
share a bin are ties.
"""

from __future__ import annotations

import numpy as np

from vidplan_core.metrics.episode_sums import EpisodeSums, IntervalEstimate

JOINT_BINS = 128
FINE_BINS = 2000


class RankCorrelation:
    """Spearman's correlation of two quantities from their joint histogram."""

    def __init__(self, first: np.ndarray, second: np.ndarray, seed: int = 0) -> None:
        """Bin by inner edges, both increasing; what lies outside belongs to the end bins."""
        self.edges = (np.asarray(first), np.asarray(second))
        self.sums = EpisodeSums((len(first) + 1, len(second) + 1), seed=seed)

    def add(self, episode: int, first: np.ndarray, second: np.ndarray) -> None:
        """Count pairs (samples,); those with a NaN are left out."""
        sound = ~(np.isnan(first) | np.isnan(second))
        rows, columns = (
            np.searchsorted(edges, values[sound], side='right')
            for edges, values in zip(self.edges, (first, second))
        )
        counts = np.zeros(self.sums.shape)
        np.add.at(counts, (rows, columns), 1.0)
        self.sums.add(episode, counts)

    def merge(self, other: RankCorrelation) -> None:
        """Take over another worker's."""
        self.sums.merge(other.sums)

    def correlation(self) -> IntervalEstimate:
        """Pearson's correlation of the ranks, ties sharing their mean rank."""
        return self.sums.measure(_spearman)


class Separation:
    """Area under the receiver operating characteristic: how often a 1 outscores a 0."""

    def __init__(self, low: float, high: float, bins: int = FINE_BINS, seed: int = 0) -> None:
        self.edges = np.linspace(low, high, bins + 1)[1:-1]
        self.sums = EpisodeSums((2, bins), seed=seed)

    def add(self, episode: int, scores: np.ndarray, *, positive: bool) -> None:
        """Count scores of one class; episodes of both classes are numbered apart."""
        counts = np.zeros(self.sums.shape)
        number = np.searchsorted(self.edges, np.asarray(scores).reshape(-1), side='right')
        np.add.at(counts[int(positive)], number, 1.0)
        self.sums.add(episode, counts)

    def merge(self, other: Separation) -> None:
        """Take over another worker's."""
        self.sums.merge(other.sums)

    def area(self) -> IntervalEstimate:
        """1 when every positive outscores every negative, 0.5 by chance, ties half."""
        return self.sums.measure(_auroc)


def exact_area(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area as of `Separation`, without bins: for scores (samples,) that fit in memory.

    NaN without both classes, `positive` (samples,) of bool.
    """
    good, bad = scores[positive], scores[~positive]
    if not len(good) or not len(bad):
        return float('nan')
    above = (good[:, None] > bad[None]) + 0.5 * (good[:, None] == bad[None])
    return float(above.mean())


class Sparsification:
    """Mean error of what remains when the most uncertain part is taken away.

    Ilg et al. 2018: the area between this curve and that of an oracle that knows the errors,
    both over the mean error of everything.
    """

    def __init__(self, uncertainty: np.ndarray, error: np.ndarray, seed: int = 0) -> None:
        """Order by inner edges of the uncertainty, and for the oracle of the error."""
        self.edges = (np.asarray(uncertainty), np.asarray(error))
        size = max(len(edges) for edges in self.edges) + 1
        # By uncertainty, then by error: samples and their summed error per bin.
        self.sums = EpisodeSums((2, 2, size), seed=seed)

    def add(self, episode: int, uncertainty: np.ndarray, error: np.ndarray) -> None:
        """Count samples (samples,)."""
        counts = np.zeros(self.sums.shape)
        size = self.sums.shape[2]
        for row, values in enumerate((uncertainty, error)):
            number = np.searchsorted(self.edges[row], values, side='right')
            counts[row, 0] = np.bincount(number, minlength=size)
            counts[row, 1] = np.bincount(number, error, size)
        self.sums.add(episode, counts)

    def merge(self, other: Sparsification) -> None:
        """Take over another worker's."""
        self.sums.merge(other.sums)

    def area(self) -> IntervalEstimate:
        """Area between the curve and the oracle's (AUSE), over the mean error."""
        return self.sums.measure(lambda s: _area(s[..., 0, :, :]) - _area(s[..., 1, :, :]))

    def random_area(self) -> IntervalEstimate:
        """The same for taking away at random: its curve is flat at 1."""
        return self.sums.measure(lambda s: 1.0 - _area(s[..., 1, :, :]))

    def curves(self, points: int = 50) -> dict[str, list[float]]:
        """Remaining mean error, over that of everything, per share taken away."""
        removed = np.linspace(0.0, 1.0, points, endpoint=False)
        by_head, oracle = self.sums.total
        return {
            'removed': removed.tolist(),
            'uncertainty': _remaining(by_head, removed).tolist(),
            'oracle': _remaining(oracle, removed).tolist(),
        }


def error_edges(bins: int, low: float = 1e-3, high: float = 10.0) -> np.ndarray:
    """Inner edges (bins - 1,) in equal ratios, for errors."""
    return np.geomspace(low, high, bins - 1)


def unit_edges(bins: int) -> np.ndarray:
    """Inner edges (bins - 1,) in equal steps, for what lies in [0, 1]."""
    return np.linspace(0.0, 1.0, bins + 1)[1:-1]


def _mid_ranks(counts: np.ndarray) -> np.ndarray:
    return np.asarray(np.cumsum(counts, axis=-1) - 0.5 * counts)


def _spearman(joint: np.ndarray) -> np.ndarray:
    rows, columns = joint.sum(axis=-1), joint.sum(axis=-2)
    total = rows.sum(axis=-1)
    first = _mid_ranks(rows) - 0.5 * total[..., None]
    second = _mid_ranks(columns) - 0.5 * total[..., None]
    together = np.einsum('...i,...ij,...j->...', first, joint, second)
    spread = (rows * first**2).sum(axis=-1) * (columns * second**2).sum(axis=-1)
    return np.asarray(together / np.sqrt(spread))


def _auroc(counts: np.ndarray) -> np.ndarray:
    negative, positive = counts[..., 0, :], counts[..., 1, :]
    wins = (positive * _mid_ranks(negative)).sum(axis=-1)
    return np.asarray(wins / (negative.sum(axis=-1) * positive.sum(axis=-1)))


def _area(counts: np.ndarray) -> np.ndarray:
    """Area under the sparsification curve, exact for a mean that is even within a bin.

    With c samples kept of summed error e the curve is (e / c) / mean; within a bin e grows
    linearly in c, e = e0 + r (c - c0), so that the integral of e / c is r (c1 - c0) +
    (e0 - r c0) ln(c1 / c0).
    """
    number, error = counts[..., 0, :], counts[..., 1, :]
    summed = error.sum(axis=-1)
    after, errors_after = np.cumsum(number, axis=-1), np.cumsum(error, axis=-1)
    before, errors_before = after - number, errors_after - error
    rate = error / np.where(number > 0, number, 1.0)
    grown = np.log(np.where(before > 0, after / np.where(before > 0, before, 1.0), 1.0))
    parts = rate * number + (errors_before - rate * before) * grown
    return np.asarray(parts.sum(axis=-1) / summed)


def _remaining(counts: np.ndarray, removed: np.ndarray) -> np.ndarray:
    number, error = (np.concatenate([[0.0], np.cumsum(row)]) for row in counts)
    kept = (1.0 - removed) * number[-1]
    return np.asarray(np.interp(kept, number, error) / kept / (error[-1] / number[-1]))
