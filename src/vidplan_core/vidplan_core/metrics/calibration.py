# SPDX-License-Identifier: Apache-2.0
"""Whether predicted distributions mean what they say, from streaming sums.

Expected calibration errors can be low for a head that says nothing (the marginal histogram is
calibrated); the log score against that histogram measures how informative it is.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vidplan_core.heads.distribution.bins import Bins
from vidplan_core.heads.distribution.estimate import cumulative, position
from vidplan_core.metrics.episode_sums import EpisodeSums, IntervalEstimate

CONFIDENCE_BINS = 20
LEVELS = (0.5, 0.8, 0.9)
PIT_BINS = 100


class Reliability:
    """Predicted against observed rates, in equal bins of the prediction; several rows at once.

    The expected calibration error of a row is the mean over its samples of the gap between the
    bin's mean prediction and mean outcome (Naeini et al. 2015).
    """

    def __init__(self, rows: int = 1, bins: int = CONFIDENCE_BINS, seed: int = 0) -> None:
        self.rows, self.bins = rows, bins
        # Per row and bin: samples, sum of predictions, sum of outcomes.
        self.sums = EpisodeSums((rows, bins, 3), seed=seed)

    def add(self, episode: int, predicted: Tensor, outcome: Tensor) -> None:
        """Count predictions in [0, 1] and outcomes, both (samples,) or (samples, rows)."""
        given = predicted.reshape(-1, self.rows).double()
        number = (given * self.bins).long().clamp(0, self.bins - 1)
        number = (number + self.bins * torch.arange(self.rows)).flatten()
        size = self.rows * self.bins
        weights = (None, given.flatten(), outcome.reshape(-1, self.rows).double().flatten())
        columns = [torch.bincount(number, weight, size).double() for weight in weights]
        stacked = torch.stack(columns, dim=-1).numpy()
        self.sums.add(episode, stacked.reshape(self.rows, self.bins, 3))

    def merge(self, other: Reliability) -> None:
        """Take over another worker's."""
        self.sums.merge(other.sums)

    def error(self) -> IntervalEstimate:
        """Expected calibration error, the mean over rows."""
        return self.sums.measure(lambda sums: _gaps(sums).mean(axis=-1))

    def informative_error(self, lowest: float = 0.05) -> IntervalEstimate:
        """The same over rows whose outcomes are neither nearly all 0 nor nearly all 1."""
        counts, _, outcomes = np.moveaxis(self.sums.total.sum(axis=1), -1, 0)
        rate = outcomes / np.maximum(counts, 1)
        rows = np.flatnonzero((rate > lowest) & (rate < 1.0 - lowest))
        if not rows.size:
            return IntervalEstimate(float('nan'), float('nan'), float('nan'))
        return self.sums.measure(lambda sums: _gaps(sums)[..., rows].mean(axis=-1))

    def diagram(self) -> dict[str, list[float]]:
        """Mean prediction, mean outcome and samples of each bin, rows pooled; for a picture."""
        count, predicted, outcome = np.moveaxis(self.sums.total.sum(axis=0), -1, 0)
        some = np.maximum(count, 1)
        return {
            'predicted': (predicted / some).tolist(),
            'observed': (outcome / some).tolist(),
            'samples': count.tolist(),
        }


class ErrorCalibration:
    """Everything about error distributions: thresholds, top label, log score, coverage."""

    def __init__(self, bins: Bins, seed: int = 0) -> None:
        self.bins = bins
        self.thresholds = Reliability(bins.count - 1, seed=seed)
        self.top_label = Reliability(seed=seed)
        # Sum of log probabilities, of log densities, then the histogram of the errors' bins.
        self.scores = EpisodeSums((2 + bins.count,), seed=seed)
        self.positions = EpisodeSums((PIT_BINS,), seed=seed)

    def add(self, episode: int, logits: Tensor, errors: Tensor) -> None:
        """Count logits (samples, bins) with the errors (samples,) that came true."""
        logits, errors = logits.double(), errors.double()
        number = self.bins.index(errors)
        probability, edges = logits.softmax(-1), self.bins.edges[1:-1]
        below = cumulative(logits, -1)[:, :-1]
        self.thresholds.add(episode, below, errors[:, None] < edges)
        confidence, label = probability.max(-1)
        self.top_label.add(episode, confidence, label == number)
        self.scores.add(episode, self._score(logits, number))
        place = position(logits, self.bins, errors, -1)
        binned = (place * PIT_BINS).long().clamp(0, PIT_BINS - 1)
        self.positions.add(episode, torch.bincount(binned, minlength=PIT_BINS).double().numpy())

    def merge(self, other: ErrorCalibration) -> None:
        """Take over another worker's."""
        self.thresholds.merge(other.thresholds)
        self.top_label.merge(other.top_label)
        self.scores.merge(other.scores)
        self.positions.merge(other.positions)

    def result(self) -> dict[str, IntervalEstimate]:
        """Every metric by name; `nll_gain` is the marginal's log score minus the head's."""
        named = {
            'threshold_ece': self.thresholds.error(),
            'threshold_ece_informative': self.thresholds.informative_error(),
            'top_label_ece': self.top_label.error(),
            'nll': self.scores.measure(_nll),
            'nll_marginal': self.scores.measure(_marginal),
            'nll_gain': self.scores.measure(lambda sums: _marginal(sums) - _nll(sums)),
            'nll_density': self.scores.measure(lambda sums: _nll(sums, 1)),
        }
        for level in LEVELS:
            named[f'coverage_{round(100 * level)}'] = self.coverage(level)
        return named

    def coverage(self, level: float) -> IntervalEstimate:
        """Share of errors inside the central interval that should hold a share `level`."""
        cut = round(PIT_BINS * (1.0 - level) / 2.0)
        inside = slice(cut, PIT_BINS - cut)
        return self.positions.measure(
            lambda sums: sums[..., inside].sum(axis=-1) / sums.sum(axis=-1)
        )

    def _score(self, logits: Tensor, number: Tensor) -> np.ndarray:
        log_probability = logits.log_softmax(-1).gather(-1, number[:, None])[:, 0]
        width = self.bins.widths[number]
        sums = torch.stack([log_probability.sum(), (log_probability - width.log()).sum()])
        histogram = torch.bincount(number, minlength=self.bins.count).double()
        return torch.cat([sums, histogram]).numpy()


def _gaps(sums: np.ndarray) -> np.ndarray:
    gap = np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1)
    return np.asarray(gap / sums[..., 0].sum(axis=-1))


def _nll(sums: np.ndarray, column: int = 0) -> np.ndarray:
    return np.asarray(-sums[..., column] / sums[..., 2:].sum(axis=-1))


def _marginal(sums: np.ndarray) -> np.ndarray:
    """Entropy of the errors' own histogram: the best that a head without a look can do."""
    share = sums[..., 2:] / sums[..., 2:].sum(axis=-1, keepdims=True)
    return np.asarray(-(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=-1))


def calibration_error(pairs: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over equal bins (Guo et al. 2017).

    Args:
        pairs: probability and truth, 0 or 1, of every case, (cases, 2).
        bins: how many.
    """
    number = np.minimum((pairs[:, 0] * bins).astype(int), bins - 1)
    gaps = [
        abs(pairs[number == b].mean(0) @ np.array([1.0, -1.0])) * (number == b).mean()
        for b in np.unique(number)
    ]
    return float(np.sum(gaps))


def calibration_error_by_chance(
    probabilities: np.ndarray, bins: int = 10, draws: int = 400, seed: int = 0
) -> tuple[float, float]:
    """`calibration_error` if every probability were true: its mean and its 95th percentile.

    Few cases show an error whoever foresees them; below the second number it says nothing.

    Args:
        probabilities: (cases,).
        bins: as for `calibration_error`.
        draws: of what comes.
        seed: of them.
    """
    rng = np.random.default_rng(seed)
    comes = rng.random((draws, len(probabilities))) < probabilities
    errors = [calibration_error(np.stack([probabilities, row], 1), bins) for row in comes]
    return float(np.mean(errors)), float(np.quantile(errors, 0.95))
