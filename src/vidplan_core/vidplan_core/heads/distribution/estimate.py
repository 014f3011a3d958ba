# SPDX-License-Identifier: Apache-2.0
"""What a predicted distribution over bins says: entropy, expectation, quantiles, intervals.

Everything is differentiable in the logits. Distributions lie along one dimension, `dim`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vidplan_core.errors import ConfigError
from vidplan_core.heads.distribution.bins import Bins


def entropy(logits: Tensor, dim: int) -> Tensor:
    """Entropy over the logarithm of the number of bins: 0 certain, 1 uniform."""
    log_probability = functional.log_softmax(logits, dim)
    return _share(log_probability, log_probability.exp(), dim)


def expectation(logits: Tensor, bins: Bins, dim: int) -> Tensor:
    """Expected value, in the bins' unit."""
    means = _along(bins.means, logits, dim)
    return (logits.softmax(dim) * means).sum(dim)


def cumulative(logits: Tensor, dim: int) -> Tensor:
    """Probability of lying at or below the upper edge of each bin; the last one is 1."""
    below = logits.softmax(dim).cumsum(dim)
    return below / below.narrow(dim, -1, 1)


def quantile(logits: Tensor, bins: Bins, level: float, dim: int) -> Tensor:
    """Value below which the probability is `level`; even within each bin.

    Raises:
        ConfigError: the level is outside [0, 1].
    """
    if not 0.0 <= level <= 1.0:
        raise ConfigError(f'a quantile has a level of 0 to 1, not {level}')
    upper = cumulative(logits, dim)
    number = (upper < level).sum(dim, keepdim=True).clamp_max(bins.count - 1)
    probability = logits.softmax(dim).gather(dim, number)
    lower = upper.gather(dim, number) - probability
    share = ((level - lower) / probability.clamp_min(1e-12)).clamp(0.0, 1.0)
    start, width = (values.to(logits)[number] for values in (bins.edges[:-1], bins.widths))
    return (start + share * width).squeeze(dim)


def interval(logits: Tensor, bins: Bins, share: float, dim: int) -> tuple[Tensor, Tensor]:
    """Central interval that holds a share of the probability."""
    tail = 0.5 * (1.0 - share)
    return quantile(logits, bins, tail, dim), quantile(logits, bins, 1.0 - tail, dim)


def position(logits: Tensor, bins: Bins, values: Tensor, dim: int) -> Tensor:
    """Probability integral transform: where in its predicted distribution each value lies.

    Uniform over [0, 1] for a calibrated head. `values` is shaped like the logits without `dim`.
    """
    number = bins.index(values).unsqueeze(dim)
    probability = logits.softmax(dim).gather(dim, number)
    lower = cumulative(logits, dim).gather(dim, number) - probability
    start, width = (numbers.to(logits)[number] for numbers in (bins.edges[:-1], bins.widths))
    share = ((values.unsqueeze(dim) - start) / width).clamp(0.0, 1.0)
    return (lower + share * probability).squeeze(dim).clamp(0.0, 1.0)


def above(logits: Tensor, bins: Bins, values: Tensor, dim: int) -> Tensor:
    """Probability of more than each value; even within each bin. Shapes as for `position`."""
    upper, width = (_along(numbers, logits, dim) for numbers in (bins.edges[1:], bins.widths))
    share = ((upper - values.unsqueeze(dim)) / width).clamp(0.0, 1.0)
    return (logits.softmax(dim) * share).sum(dim)


@dataclass(frozen=True)
class ErrorEstimate:
    """How wrong imagined latents may be; both (batch, frames, channels, rows, columns).

    entropy: of each element's error distribution, 0 .. 1.
    expected_error: of the absolute error, in units of the normalised latents.
    """

    entropy: Tensor
    expected_error: Tensor

    @classmethod
    def of(cls, logits: Tensor, bins: Bins) -> ErrorEstimate:
        """Estimate of logits (batch, frames, bins, channels, rows, columns)."""
        log_probability = functional.log_softmax(logits, 2)
        probability = log_probability.exp()
        expected = torch.matmul(bins.means.to(logits), probability.flatten(3))
        return cls(
            _share(log_probability, probability, 2), expected.unflatten(2, logits.shape[3:])
        )

    def view_entropy(self, views: int) -> Tensor:
        """Mean entropy of each view of each new frame, (batch, frames, views)."""
        return self.entropy.unflatten(3, (views, -1)).mean(dim=(2, 4, 5))


def _share(log_probability: Tensor, probability: Tensor, dim: int) -> Tensor:
    nats = -(probability * log_probability).sum(dim)
    return (nats / math.log(probability.shape[dim])).clamp(0.0, 1.0)


def _along(values: Tensor, like: Tensor, dim: int) -> Tensor:
    shape = [1] * like.ndim
    shape[dim] = -1
    return values.to(like).reshape(shape)
