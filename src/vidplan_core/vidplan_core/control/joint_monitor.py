# SPDX-License-Identifier: Apache-2.0
"""Whether measured joint states are those of the arm that is commanded, moving freely."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from vidplan_core.control.rejection import FROZEN, IMPOSSIBLE, JOINT_JUMP, TRACKING
from vidplan_core.control.timeline import MeasuredJoints
from vidplan_core.control.watchdog import FINE, Verdict
from vidplan_core.errors import CommandRejectedError
from vidplan_core.geometry.limits import JointLimits

Array = NDArray[np.float64]

# Beyond the end of a joint's range by more than this is no calibration, rad.
_BEYOND_RAD = 0.05
# A joint may be measured this much faster than it can move, and this far off by noise, rad.
_FASTER, _NOISE_RAD = 1.5, 0.02
# A joint rests that moves less than this, by its angles over so long a time, rad/s and s.
_RESTING_RAD_S, _RESTING_S = 0.03, 0.1
# Sensors never read the same twice while the arm moves: so much commanded motion and time.
_UNCHANGED_RAD, _UNCHANGED_S = 0.03, 0.1

_AFTERWARDS = 'look at the arm and its drivers, then call adapter/rearm'


class JointMonitor:
    """Looks at one joint state after the other; what it once found stays until `reset`.

    A measurement is never followed: where it disagrees with what was commanded, one of the two is
    wrong, and only a person can say which.
    """

    def __init__(self, limits: JointLimits, max_error_rad: float) -> None:
        """Watch an arm with hard `limits` that may be `max_error_rad` from where it was sent."""
        self._limits = limits
        self._max_error_rad = max_error_rad
        self.reset()

    def reset(self) -> None:
        """Forget what was found, and all joint states."""
        self._recent: deque[MeasuredJoints] = deque()
        self._last: MeasuredJoints | None = None
        self._changed: MeasuredJoints | None = None  # when the values last changed
        self._sent_then: Array | None = None
        self.verdict = Verdict(False)

    def forget(self) -> None:
        """Forget all joint states; what was found stays."""
        self._last = self._changed = None
        self._recent.clear()

    def require_possible(self, measured: MeasuredJoints) -> None:
        """Raise CommandRejectedError for a joint state that no arm of this kind can have."""
        if found := self._impossible(measured):
            raise CommandRejectedError(*found)

    def fail(self, reason: str, message: str) -> None:
        """Take in what somebody else found; the first finding counts."""
        if self.verdict.reason == FINE:
            self.verdict = Verdict(True, reason, f'{message}; {_AFTERWARDS}')

    def look(self, measured: MeasuredJoints, desired: Array | None) -> None:
        """Look at a joint state, and at the angles (7,) sent for its time, None before any."""
        found = self._impossible(measured) or self._jump(measured)
        if desired is not None:
            found = found or self._frozen(measured, desired) or self._astray(measured, desired)
        self._last = measured
        self._remember(measured)
        if found:
            self.fail(*found)

    def rests(self, measured: MeasuredJoints) -> bool:
        """Whether the arm stands: by its angles, where they are known for long enough.

        Measured velocities may be noise, or off by a constant.
        """
        oldest = self._recent[0] if self._recent else measured
        span_s = measured.stamp_s - oldest.stamp_s
        if span_s < _RESTING_S:
            return measured.resting
        return bool(np.abs(measured.q - oldest.q).max() <= _RESTING_RAD_S * span_s)

    def _remember(self, measured: MeasuredJoints) -> None:
        """Keep what is needed to span the time in which an arm rests, and no gap."""
        recent = self._recent
        if recent and not 0.0 <= measured.stamp_s - recent[-1].stamp_s <= _RESTING_S:
            recent.clear()
        recent.append(measured)
        while len(recent) > 1 and recent[1].stamp_s <= measured.stamp_s - _RESTING_S:
            recent.popleft()

    def _impossible(self, measured: MeasuredJoints) -> tuple[str, str] | None:
        words = beyond_range(measured.q, self._limits)
        return (IMPOSSIBLE, words) if words else None

    def _jump(self, measured: MeasuredJoints) -> tuple[str, str] | None:
        last = self._last
        if last is None or measured.stamp_s < last.stamp_s:
            return None
        step = np.abs(measured.q - last.q)
        possible = _FASTER * self._limits.velocity * (measured.stamp_s - last.stamp_s) + _NOISE_RAD
        joint = int((step - possible).argmax())
        if step[joint] <= possible[joint]:
            return None
        return JOINT_JUMP, (
            f'{self._limits.names[joint]} was measured {step[joint]:.3f} rad further within '
            f'{measured.stamp_s - last.stamp_s:.3f} s, it can move {possible[joint]:.3f} rad; do '
            'two arms publish on this topic?'
        )

    def _frozen(self, measured: MeasuredJoints, desired: Array) -> tuple[str, str] | None:
        then = self._changed
        if then is None or self._sent_then is None or not np.array_equal(measured.q, then.q):
            self._changed, self._sent_then = measured, desired
            return None
        moved = float(np.abs(desired - self._sent_then).max())
        if moved <= _UNCHANGED_RAD or measured.stamp_s - then.stamp_s < _UNCHANGED_S:
            return None
        return FROZEN, f'joint states keep their values while the arm is sent {moved:.3f} rad on'

    def _astray(self, measured: MeasuredJoints, desired: Array) -> tuple[str, str] | None:
        error = np.abs(desired - measured.q)
        joint = int(error.argmax())
        if error[joint] <= self._max_error_rad:
            return None
        return TRACKING, (
            f'{self._limits.names[joint]} is {error[joint]:.3f} rad from where it was sent, '
            f'allowed {self._max_error_rad:.3f} rad; is the controller following, is the arm '
            'blocked or pushed?'
        )


class ContactWatch:
    """Follows how far the arm is from where it was sent, from one joint state to the next.

    An arm that is held up falls behind further and further. Braking at once keeps it from
    pressing harder; a motion that leads away from what it presses on makes the distance smaller,
    and passes.
    """

    def __init__(self, yields_rad: float) -> None:
        """Watch for a joint that falls behind by `yields_rad` more than it was."""
        self._yields_rad = yields_rad
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._least = 0.0
        self.pressing = False

    def look(self, behind_rad: float, stopping: bool) -> None:
        """Take in how far a joint is behind at most, rad, and whether the arm brakes already.

        What the arm has come to rest with is the measure for the next motion.
        """
        self._least = behind_rad if stopping else min(self._least, behind_rad)
        self.pressing = not stopping and behind_rad > self._least + self._yields_rad


def beyond_range(q: NDArray[np.floating], limits: JointLimits) -> str:
    """Say which joint (7,) [rad] lies where it cannot be, with the likely unit; '' for none."""
    beyond = np.maximum(limits.lower - q, q - limits.upper)
    joint = int(beyond.argmax())
    if beyond[joint] <= _BEYOND_RAD:
        return ''
    hint = ' (are these degrees?)' if np.abs(q).max() > 2 * np.pi else ''
    return (
        f'{limits.names[joint]} is measured at {q[joint]:.3f} rad, its range is '
        f'{limits.lower[joint]:.3f} .. {limits.upper[joint]:.3f} rad{hint}'
    )


def behind(desired: NDArray[np.floating], measured: NDArray[np.floating]) -> float:
    """Largest angle (rad) between joints (7,) and where they were sent (7,)."""
    return float(np.abs(desired - measured).max())
