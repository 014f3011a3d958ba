# SPDX-License-Identifier: Apache-2.0
"""Whether the uncertainty of an imagination says how wrong it turned out to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from vidplan_eval.replay.fidelity import Fidelity
from vidplan_eval.replay.windows import KINDS

# Fewer moments than this say nothing about a correlation.
FEWEST = 20
Z_95 = 1.96


def calibration_table(
    found: Fidelity, kinds: Sequence[str], period_s: float, every: int = 1
) -> list[dict[str, Any]]:
    """Return one entry per kind of moment and step, all kinds together first.

    Args:
        found: measurements of all windows.
        kinds: of each window, of KINDS.
        period_s: between two steps.
        every: moments between two windows.
    """
    labels = np.array(kinds)
    chosen = {'all': np.ones(len(labels), bool), **{kind: labels == kind for kind in KINDS}}
    steps = range(found.error.shape[1])
    return [
        _entry(found, name, mask, step, period_s, every)
        for name, mask in chosen.items()
        for step in steps
    ]


def _entry(
    found: Fidelity, name: str, mask: np.ndarray, step: int, period_s: float, every: int
) -> dict[str, Any]:
    error = found.error[mask, step].mean(axis=-1)
    uncertainty = found.uncertainty[mask, step].mean(axis=-1)
    overlap = -(-(found.error.shape[1] + 1) // every)
    correlation = rank_correlation(uncertainty, error, overlap)
    return {
        'moments': name,
        'step': step + 1,
        'time_s': round((step + 1) * period_s, 6),
        'count': int(mask.sum()),
        'error': _rounded(error),
        'expected_error': _rounded(found.expected_error[mask, step]),
        'uncertainty': _rounded(uncertainty),
        **correlation,
    }


def rank_correlation(first: np.ndarray, second: np.ndarray, overlap: int) -> dict[str, Any]:
    """Spearman's correlation with its 95 % interval (Fisher's z), or nothing where too few.

    Args:
        first: (samples,); NaN where unknown.
        second: (samples,).
        overlap: neighbouring samples share this many frames, so that only every such sample is
            independent and counts for the interval.
    """
    known = np.isfinite(first) & np.isfinite(second)
    count = int(known.sum())
    if count < FEWEST or np.ptp(first[known]) == 0 or np.ptp(second[known]) == 0:
        return {'spearman': None, 'spearman_95': None, 'few': True}
    value = float(spearmanr(first[known], second[known]).statistic)
    independent = max(count / overlap, 4.0)
    spread = Z_95 / np.sqrt(independent - 3.0)
    low, high = np.tanh(
        np.arctanh(np.clip(value, -0.999999, 0.999999)) + np.array([-1, 1]) * spread
    )
    return {
        'spearman': round(value, 4),
        'spearman_95': [round(float(low), 4), round(float(high), 4)],
        'few': count / overlap < FEWEST,
    }


def _rounded(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return round(float(finite.mean()), 6) if finite.size else None
