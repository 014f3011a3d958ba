# SPDX-License-Identifier: Apache-2.0
"""The past as a world model sees it: observations at its own frame times."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from vidplan_core.errors import ConfigError, ObservationError
from vidplan_core.data.observation import Observation

# Age, in model frames, of the first observation of an episode: older than every other.
EPISODE_START = 1_000_000


class History:
    """The last observations, resampled to the world model's frame period.

    Observations may arrive faster than the period; each model frame takes the nearest one, at
    most half a period away. Time that runs backwards (a restarted bag or simulation) starts over.
    """

    def __init__(self, frames: int, period_s: float, ages: Sequence[int] = ()) -> None:
        """Keep enough for `frames` model frames that are `period_s` seconds apart.

        `ages` are for a model that looks farther back: for each frame, oldest first, how many
        periods before the newest it lies. What would lie before the first observation of an
        episode is that one then, as if the arm had been at rest.
        """
        if frames < 1 or not period_s > 0:
            raise ConfigError(
                f'a history needs frames >= 1 and a period > 0, got {frames}, {period_s}'
            )
        if ages and (len(ages) != frames or min(ages) < 0 or ages[-1] != 0):
            raise ConfigError(
                f'ages of {frames} frames are needed, none negative, the last 0; got {ages}'
            )
        self._frames = frames
        self._period_s = period_s
        self._ages = tuple(ages) or tuple(range(frames - 1, -1, -1))
        self._begins_at_rest = bool(ages)
        self._first: Observation | None = None
        self._observations: deque[Observation] = deque()

    def push(self, observation: Observation) -> None:
        """Append an observation; a repeated stamp replaces the newest."""
        kept = self._observations
        if kept and observation.stamp_s < kept[-1].stamp_s:
            self.clear()
        if kept and observation.stamp_s == kept[-1].stamp_s:
            kept.pop()
        kept.append(observation)
        if self._first is None or self._first.stamp_s == observation.stamp_s:
            self._first = observation
        horizon_s = observation.stamp_s - self._horizon * self._period_s
        while kept[0].stamp_s < horizon_s:
            kept.popleft()

    def clear(self) -> None:
        """Forget everything."""
        self._observations.clear()
        self._first = None

    def begin_episode(self) -> None:
        """Let the newest observation be the first: what was seen before is another story."""
        self._first = self.newest

    @property
    def newest(self) -> Observation | None:
        """The last observation, if any."""
        return self._observations[-1] if self._observations else None

    @property
    def ready(self) -> bool:
        """Whether every model frame has an observation near enough."""
        return self._missing_s() is None

    def sample(
        self, now_s: float | None = None, max_age_s: float | None = None
    ) -> list[Observation]:
        """Return one observation per model frame, oldest first; the last is the newest.

        Args:
            now_s: the present time, to check the newest observation's age; s.
            max_age_s: largest age that counts as fresh; one period when not given.

        Raises:
            ObservationError: too few observations, a gap, or the newest is not fresh.
        """
        missing_s = self._missing_s()
        if missing_s is not None:
            raise ObservationError(
                f'no observation within {self._period_s / 2:.3f} s of {missing_s:.3f} s: '
                f'{self._frames} frames {self._period_s} s apart are needed'
            )
        if now_s is not None:
            limit_s = self._period_s if max_age_s is None else max_age_s
            age_s = now_s - self._observations[-1].stamp_s
            if age_s > limit_s:
                raise ObservationError(
                    f'the newest observation is {age_s:.3f} s old, allowed {limit_s:.3f} s'
                )
        return [self._nearest(target_s) for target_s in self._targets_s()]

    @property
    def _horizon(self) -> int:
        """Periods that must be kept; the first observation is kept apart."""
        return 1 + max(age for age in self._ages if age < EPISODE_START)

    def _targets_s(self) -> list[float]:
        newest_s = self._observations[-1].stamp_s
        targets_s = (newest_s - age * self._period_s for age in self._ages)
        if not self._begins_at_rest or self._first is None:
            return list(targets_s)
        return [max(target_s, self._first.stamp_s) for target_s in targets_s]

    def _nearest(self, target_s: float) -> Observation:
        if self._first is not None and target_s == self._first.stamp_s:
            return self._first
        return min(self._observations, key=lambda seen: abs(seen.stamp_s - target_s))

    def _missing_s(self) -> float | None:
        """Return the first model time without an observation near it, or None."""
        if not self._observations:
            return 0.0
        for target_s in self._targets_s():
            # The margin lets stamps that are exactly half a period off count in spite of rounding.
            if abs(self._nearest(target_s).stamp_s - target_s) > self._period_s / 2 + 1e-9:
                return target_s
        return None
