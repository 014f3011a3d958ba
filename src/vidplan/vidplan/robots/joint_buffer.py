# SPDX-License-Identifier: Apache-2.0
"""The last joint states, so that an image can have the one of its own instant."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidplan_core.errors import ObservationError

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class JointSample:
    """Joint positions (N,) in rad and velocities (N,) in rad/s at `stamp_s`."""

    stamp_s: float
    q: Vector
    dq: Vector


class JointBuffer:
    """Joint states of the last `horizon_s` seconds; time that runs backwards starts it over."""

    def __init__(self, horizon_s: float = 1.0) -> None:
        self._horizon_s = horizon_s
        self._samples: deque[JointSample] = deque()

    def push(self, sample: JointSample) -> None:
        """Append a sample; one with the stamp of the newest is ignored."""
        kept = self._samples
        if kept and sample.stamp_s < kept[-1].stamp_s:
            kept.clear()
        if kept and sample.stamp_s == kept[-1].stamp_s:
            return
        kept.append(sample)
        while kept[0].stamp_s < sample.stamp_s - self._horizon_s:
            kept.popleft()

    @property
    def newest(self) -> JointSample | None:
        """The last sample, if any."""
        return self._samples[-1] if self._samples else None

    def at(self, stamp_s: float, max_gap_s: float) -> tuple[JointSample, float]:
        """Return the state at `stamp_s`, interpolated, and its distance to the nearest sample.

        Raises:
            ObservationError: no sample within `max_gap_s`.
        """
        if not self._samples:
            raise ObservationError('no joint state yet')
        nearest = min(self._samples, key=lambda sample: abs(sample.stamp_s - stamp_s))
        gap_s = abs(nearest.stamp_s - stamp_s)
        if gap_s > max_gap_s:
            raise ObservationError(
                f'the nearest joint state is {gap_s:.3f} s from the images, '
                f'allowed {max_gap_s:.3f} s'
            )
        return self._interpolated(stamp_s, nearest), gap_s

    def _interpolated(self, stamp_s: float, nearest: JointSample) -> JointSample:
        samples = list(self._samples)
        after = next((i for i, s in enumerate(samples) if s.stamp_s >= stamp_s), None)
        if after is None or after == 0:
            return nearest
        low, high = samples[after - 1], samples[after]
        share = (stamp_s - low.stamp_s) / (high.stamp_s - low.stamp_s)
        return JointSample(
            stamp_s, low.q + share * (high.q - low.q), low.dq + share * (high.dq - low.dq)
        )
