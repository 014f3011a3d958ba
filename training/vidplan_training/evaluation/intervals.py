# SPDX-License-Identifier: Apache-2.0
"""Measured numbers as they are written to files: values, and their 95 % intervals."""

from __future__ import annotations

import numpy as np

from vidplan_core.metrics.episode_sums import IntervalEstimate


def values_of(numbers: dict[str, IntervalEstimate]) -> dict[str, float | None]:
    """Values rounded for a file; None where the data say nothing."""
    return {name: _finite(number.value) for name, number in numbers.items()}


def intervals_of(numbers: dict[str, IntervalEstimate]) -> dict[str, list[float | None]]:
    """Intervals rounded for a file."""
    return {name: [_finite(n.low), _finite(n.high)] for name, n in numbers.items()}


def _finite(value: float) -> float | None:
    return round(value, 5) if np.isfinite(value) else None
