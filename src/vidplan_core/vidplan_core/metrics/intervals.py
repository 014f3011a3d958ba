# SPDX-License-Identifier: Apache-2.0
"""Intervals for success rates and means, and percentiles of latencies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Interval = tuple[float, float]


def exact_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Clopper-Pearson interval of a success rate; (0, 1) without trials.

    Raises:
        ValueError: counts that cannot be.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f'{successes} successes in {trials} trials')
    # The beta functions of scipy take half a second to import; commands start without them.
    from scipy.stats import beta

    tail = (1.0 - confidence) / 2.0
    low = 0.0 if successes == 0 else beta.ppf(tail, successes, trials - successes + 1)
    high = 1.0 if successes == trials else beta.ppf(1.0 - tail, successes + 1, trials - successes)
    return float(low), float(high)


def bootstrap_interval(
    values: Sequence[float] | np.ndarray,
    *,
    statistic: Callable[..., np.ndarray] = np.mean,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of `statistic` over independent values, one per episode.

    Values of the same episode must be reduced to one number first: frames of one episode
    are not independent. (nan, nan) without values.

    Args:
        values: (episodes,); NaN entries are left out.
        statistic: takes an array and `axis`.
        confidence: share of the estimates inside the interval.
        resamples: bootstrap draws.
        seed: of the draws.
    """
    array = np.asarray(values, dtype=np.float64)
    array = array[~np.isnan(array)]
    if array.size == 0:
        return float('nan'), float('nan')
    generator = np.random.default_rng(seed)
    draws = generator.integers(0, array.size, size=(resamples, array.size))
    estimates = statistic(array[draws], axis=1)
    return percentile_interval(estimates, confidence)


def scene_interval(
    scenes: Sequence[np.ndarray], number: Callable[[np.ndarray], float], resamples: int = 1000
) -> list[float]:
    """95 % percentile bootstrap of a number of rows (rows, ...), drawing whole scenes of them."""
    rng = np.random.default_rng(0)
    drawn = (rng.integers(len(scenes), size=len(scenes)) for _ in range(resamples))
    found = [number(np.concatenate([scenes[i] for i in some])) for some in drawn]
    return list(percentile_interval(np.array(found)))


def scene_mean_interval(values: np.ndarray, scenes: np.ndarray) -> list[float]:
    """`scene_interval` of a mean of values (rows,) by their scenes (rows,)."""
    return scene_interval([values[scenes == name] for name in np.unique(scenes)], np.nanmean)


def percentile_interval(estimates: np.ndarray, confidence: float = 0.95) -> Interval:
    """Where the middle of the finite estimates of resamples lies; (nan, nan) without any."""
    estimates = estimates[np.isfinite(estimates)]
    if not estimates.size:
        return float('nan'), float('nan')
    tail = 50.0 * (1.0 - confidence)
    low, high = np.percentile(estimates, [tail, 100.0 - tail])
    return float(low), float(high)


def percentile(values: Sequence[float] | np.ndarray, share: float) -> float | None:
    """The `share` (0..100) percentile, NaN left out, or None without values."""
    array = np.asarray(values, dtype=np.float64)
    array = array[~np.isnan(array)]
    return float(np.percentile(array, share)) if array.size else None


def latency_summary(seconds: Sequence[float] | np.ndarray) -> dict[str, float | None]:
    """Median and 99th percentile of durations in seconds."""
    return {'p50_s': percentile(seconds, 50.0), 'p99_s': percentile(seconds, 99.0)}
