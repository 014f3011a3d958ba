# SPDX-License-Identifier: Apache-2.0
"""What gradient steps promise and what of it comes true, over the states of a suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidplan_core.metrics.intervals import bootstrap_interval

# What a state says, and how its mean is reported.
MEASURES = ('predicted', 'realised', 'gap', 'frames_saved')
PLANNERS = {True: 'with_uncertainty', False: 'without_uncertainty'}


def gain_curves(
    rows: Sequence[Mapping[str, Any]], steps: Sequence[int] = ()
) -> dict[str, list[dict[str, Any]]]:
    """Means over states with bootstrap intervals, by planner and steps.

    Args:
        rows: fields of `RefinementRow`s; those without a number are left out.
        steps: that are reported; all that the rows have by default.
    """
    known = [row for row in rows if row['predicted'] is not None]
    curves = {}
    for weighting, name in PLANNERS.items():
        of = [row for row in known if row['uncertainty_weighting'] == weighting]
        if of:
            numbers = steps or sorted({row['steps'] for row in rows})
            curves[name] = [_point(n, [row for row in of if row['steps'] == n]) for n in numbers]
    return curves


def _point(steps: int, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    point: dict[str, Any] = {'step': steps, 'states': len(rows)}
    for measure in MEASURES:
        values = [row[measure] for row in rows]
        point[measure] = float(np.mean(values)) if values else None
        point[f'{measure}_interval_95'] = list(bootstrap_interval(values))
    return point
