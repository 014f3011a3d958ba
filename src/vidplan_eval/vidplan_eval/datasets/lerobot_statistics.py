# SPDX-License-Identifier: Apache-2.0
"""What LeRobot normalises with: statistics of the columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def column_statistics(table: Mapping[str, Any]) -> dict[str, dict[str, list[float]]]:
    """Return min, max, mean, std and count of every column of numbers, element by element."""
    return {
        name: _statistics(values)
        for name, values in table.items()
        if isinstance(values, np.ndarray) and values.dtype != bool
    }


def _statistics(values: np.ndarray) -> dict[str, list[float]]:
    rows = np.asarray(values, np.float64).reshape(len(values), -1)
    measured = {
        'min': rows.min(axis=0),
        'max': rows.max(axis=0),
        'mean': rows.mean(axis=0),
        'std': rows.std(axis=0),
    }
    found = {kind: [float(value) for value in row] for kind, row in measured.items()}
    return {**found, 'count': [len(rows)]}
