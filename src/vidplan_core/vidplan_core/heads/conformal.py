# SPDX-License-Identifier: Apache-2.0
"""A lower bound of predicted values that holds with known probability, without assumptions.

Split conformal prediction (Papadopoulos et al. 2002; Lei et al. 2018, Theorem 2.2): of n
calibration episodes and a new one, exchangeable with each other, the new episode's shortfall is
at most the k-th smallest of theirs, k = ceil((n + 1)(1 - alpha)), with probability at least
1 - alpha. Frames of one episode depend on one another, so an episode counts once, by the
greatest shortfall of its frames: the bound then holds at all frames of an episode together.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from vidplan_core.errors import ConfigError, ModelError

CONFORMAL_FILE = 'conformal.json'

Rows = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class LowerBound:
    """Predicted value minus `margin` is reached with a probability of at least 1 - `alpha`.

    Attributes:
        alpha: allowed share of episodes in which the bound fails somewhere.
        margin: subtracted from predictions; 1 (all there is) with too few episodes for a bound.
        episodes: that it was calibrated on.
    """

    alpha: float
    margin: float
    episodes: int

    def of(self, value: Tensor) -> Tensor:
        """Lower bounds, at least 0, of predicted values in [0, 1] of any shape."""
        return (value - self.margin).clamp_min(0.0)


def shortfall(predicted: Rows, true: Rows) -> float:
    """By how much one episode's predictions (frames,) exceed its values (frames,) at most.

    Raises:
        ValueError: no frame, or lengths that differ.
    """
    first, second = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    if first.shape != second.shape or first.size == 0:
        raise ValueError(
            f'an episode needs as many predictions as values, not {first.shape} and {second.shape}'
        )
    return float((first - second).max())


def calibrate(shortfalls: Rows, alpha: float = 0.1) -> LowerBound:
    """The bound from the shortfalls of calibration episodes, one per episode.

    Raises:
        ConfigError: alpha is not between 0 and 1.
        ValueError: a shortfall is not finite.
    """
    if not 0.0 < alpha < 1.0:
        raise ConfigError(f'alpha = {alpha}, allowed above 0 and below 1')
    ordered = np.sort(np.asarray(shortfalls, np.float64))
    if not np.isfinite(ordered).all():
        raise ValueError('a shortfall is not finite')
    rank = math.ceil((len(ordered) + 1) * (1.0 - alpha))
    margin = float(ordered[rank - 1]) if rank <= len(ordered) else 1.0
    return LowerBound(alpha, min(margin, 1.0), len(ordered))


def save_bound(folder: Path, bound: LowerBound) -> Path:
    """Write the bound beside the value head's weights and return the file."""
    path = folder / CONFORMAL_FILE
    path.write_text(json.dumps(asdict(bound), indent=1) + '\n')
    return path


def load_bound(folder: Path) -> LowerBound | None:
    """The bound of a value head's folder, None where it has none.

    Raises:
        ModelError: the file is there but cannot be understood.
    """
    path = folder / CONFORMAL_FILE
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text())
        bound = LowerBound(
            float(values['alpha']), float(values['margin']), int(values['episodes'])
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f'{path} holds no conformal bound: {error!r}') from error
    if not (0.0 < bound.alpha < 1.0 and -1.0 <= bound.margin <= 1.0):
        raise ModelError(f'{path}: alpha {bound.alpha} and margin {bound.margin} cannot be')
    return bound
