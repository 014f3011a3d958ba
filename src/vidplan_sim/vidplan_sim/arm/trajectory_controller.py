# SPDX-License-Identifier: Apache-2.0
"""What ros2_control's joint trajectory controller does with a trajectory message, in numpy.

Rules follow joint_trajectory_controller of ROS 2 Jazzy with its default parameters and
`interpolate_from_desired_state: true`: a new trajectory replaces the old one at once, the way to
its first point starts from the commanded state, and a trajectory that does not end at rest is
refused, so an arm whose planner died stops by itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

INVALID_GOAL = -1
INVALID_JOINTS = -2
OLD_HEADER_TIMESTAMP = -3

# The controller compares the last velocities with float's epsilon.
_AT_REST = float(np.finfo(np.float32).eps)


class TrajectoryRejected(ValueError):
    """A trajectory message that the controller does not accept."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Point:
    """A way point: rad, rad/s, rad/s^2 and seconds after the trajectory's start."""

    positions: Sequence[float]
    velocities: Sequence[float] | None = None
    accelerations: Sequence[float] | None = None
    time_from_start_s: float = 0.0


@dataclass(frozen=True)
class Trajectory:
    """A trajectory message; `stamp_s` zero means that it starts when it arrives."""

    joint_names: Sequence[str]
    points: Sequence[Point]
    stamp_s: float = 0.0


@dataclass(frozen=True)
class _State:
    """Position, and velocity and acceleration where they are known, of all joints at a time."""

    time_s: float
    q: np.ndarray
    dq: np.ndarray | None
    ddq: np.ndarray | None


class TrajectoryController:
    """Follows the latest accepted trajectory.

    Args:
        joint_names: the controlled joints, in the order of all vectors here.
        interpolate_from_desired_state: whether a new trajectory starts from the commanded state
            (needed to stream trajectories smoothly) or from the measured one.
    """

    def __init__(self, joint_names: Sequence[str], *,
                 interpolate_from_desired_state: bool = True) -> None:
        self.joint_names = tuple(joint_names)
        self._from_desired = interpolate_from_desired_state
        self._states: tuple[_State, ...] = ()
        self._times: tuple[float, ...] = ()
        self._segments: tuple[np.ndarray, ...] = ()

    def hold(self, q: np.ndarray, now_s: float) -> None:
        """Forget the trajectory and stay at `q` (joints,)."""
        rest = np.zeros(len(self.joint_names))
        self._follow((_State(now_s, np.array(q, dtype=float), rest, rest),))

    def accept(self, trajectory: Trajectory, now_s: float, q: np.ndarray,
               dq: np.ndarray) -> None:
        """Replace the current trajectory.

        Args:
            trajectory: the message.
            now_s: the controller's time.
            q, dq: measured joint positions and velocities (joints,), used when
                nothing was commanded yet or when not starting from the desired state.

        Raises:
            TrajectoryRejected: the message breaks a rule; the old trajectory goes on.
        """
        order = self._joint_order(trajectory.joint_names)
        _check_points(trajectory, len(order))
        start_s = trajectory.stamp_s if trajectory.stamp_s != 0.0 else now_s
        _check_times(trajectory, start_s, now_s)
        states = [_state_of(point, order, start_s) for point in trajectory.points]
        if states[0].time_s > now_s:
            states.insert(0, self._state_before(now_s, q, dq))
        self._follow(tuple(states))

    def sample(self, now_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Commanded positions and velocities (joints,) at a time.

        Raises:
            RuntimeError: neither `hold` nor `accept` was called before.
        """
        state = self._sample_state(now_s)
        assert state.dq is not None
        return state.q, state.dq

    @property
    def end_s(self) -> float:
        """When the present trajectory has ended."""
        return self._times[-1] if self._times else 0.0

    def snapshot(self) -> object:
        """Everything that `sample` depends on, for `restore`."""
        return self._states, self._times, self._segments

    def restore(self, snapshot: object) -> None:
        """Return to a snapshot."""
        assert isinstance(snapshot, tuple)
        self._states, self._times, self._segments = snapshot

    def _joint_order(self, names: Sequence[str]) -> list[int]:
        """Index into the message of every controlled joint."""
        given = list(names)
        if sorted(given) != sorted(self.joint_names):
            raise TrajectoryRejected(
                INVALID_JOINTS,
                f'trajectory is for joints {given}, the controller has {list(self.joint_names)}')
        return [given.index(name) for name in self.joint_names]

    def _state_before(self, now_s: float, q: np.ndarray, dq: np.ndarray) -> _State:
        """Where the way to a new trajectory's first point starts."""
        if self._from_desired and self._states:
            return self._sample_state(now_s)
        return _State(now_s, np.array(q, dtype=float), np.array(dq, dtype=float), None)

    def _follow(self, states: tuple[_State, ...]) -> None:
        self._states = states
        self._times = tuple(state.time_s for state in states)
        self._segments = tuple(_polynomial(a, b) for a, b in zip(states, states[1:]))

    def _sample_state(self, now_s: float) -> _State:
        if not self._states:
            raise RuntimeError('nothing to follow yet: call hold() or accept() first')
        index = bisect_right(self._times, now_s) - 1
        if index >= len(self._segments):
            last = self._states[-1]
            rest = np.zeros_like(last.q)
            return _State(now_s, last.q, rest, rest)
        index = max(index, 0)
        elapsed_s = max(now_s - self._times[index], 0.0)
        powers = elapsed_s ** _EXPONENTS
        q, dq, ddq = (powers * _DERIVATIVES) @ self._segments[index]
        return _State(now_s, q, dq, ddq)


# Rows: a polynomial of degree five and its two derivatives, as factors of powers of time that
# are lowered by the row's number. Sampling runs at every physics step, hence tables.
_EXPONENTS = np.maximum(np.arange(6) - np.arange(3)[:, None], 0)
_DERIVATIVES = np.array([
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
    [0.0, 0.0, 2.0, 6.0, 12.0, 20.0],
])


def _check_points(trajectory: Trajectory, joints: int) -> None:
    """Refuse missing points, fields of the wrong size, values that are not numbers, no rest."""
    if not trajectory.points:
        raise TrajectoryRejected(INVALID_GOAL, 'empty trajectory: it has no points')
    for index, point in enumerate(trajectory.points):
        if len(point.positions) == 0:
            raise TrajectoryRejected(INVALID_GOAL, f'point {index} has no positions')
        for name in ('positions', 'velocities', 'accelerations'):
            values = getattr(point, name)
            if values is None or len(values) == 0:
                continue
            if len(values) != joints:
                raise TrajectoryRejected(
                    INVALID_GOAL,
                    f'point {index} has {len(values)} {name} for {joints} joints')
            if not np.all(np.isfinite(np.asarray(values, dtype=float))):
                raise TrajectoryRejected(INVALID_GOAL, f'point {index} has {name} not finite')
    last = trajectory.points[-1].velocities
    if last is not None and len(last) and float(np.max(np.abs(np.asarray(last)))) > _AT_REST:
        raise TrajectoryRejected(INVALID_GOAL,
                                 'velocity of the last point is not zero: it must end at rest')


def _check_times(trajectory: Trajectory, start_s: float, now_s: float) -> None:
    """Refuse times that do not increase, and trajectories that are over already."""
    times = [point.time_from_start_s for point in trajectory.points]
    if not np.all(np.isfinite([*times, trajectory.stamp_s])) or times[0] < 0.0:
        raise TrajectoryRejected(INVALID_GOAL, f'times {times} are not finite and positive')
    for index, (earlier, later) in enumerate(zip(times, times[1:])):
        if later <= earlier:
            raise TrajectoryRejected(
                INVALID_GOAL, f'time between points {index} and {index + 1} is not '
                f'strictly increasing: {earlier} s and {later} s')
    if trajectory.stamp_s != 0.0 and start_s + times[-1] < now_s:
        raise TrajectoryRejected(
            OLD_HEADER_TIMESTAMP,
            f'trajectory ended at {start_s + times[-1]:.3f} s, {now_s:.3f} s is now')


def _state_of(point: Point, order: list[int], start_s: float) -> _State:
    def ordered(values: Sequence[float] | None) -> np.ndarray | None:
        if values is None or len(values) == 0:
            return None
        return np.asarray(values, dtype=float)[order]

    q = ordered(point.positions)
    assert q is not None
    return _State(start_s + point.time_from_start_s, q, ordered(point.velocities),
                  ordered(point.accelerations))


def _polynomial(a: _State, b: _State) -> np.ndarray:
    """Coefficients (6, joints), lowest first, of the spline between two states.

    Linear with positions only, cubic with velocities, quintic with accelerations at both ends.
    """
    t = b.time_s - a.time_s
    coefficients = np.zeros((6, len(a.q)))
    coefficients[0] = a.q
    if t <= 0.0:
        return coefficients
    delta = b.q - a.q
    if a.dq is None or b.dq is None:
        coefficients[1] = delta / t
    elif a.ddq is None or b.ddq is None:
        coefficients[1] = a.dq
        coefficients[2] = (3.0 * delta - (2.0 * a.dq + b.dq) * t) / t ** 2
        coefficients[3] = (-2.0 * delta + (a.dq + b.dq) * t) / t ** 3
    else:
        coefficients[1], coefficients[2] = a.dq, 0.5 * a.ddq
        coefficients[3] = (20.0 * delta - (8.0 * b.dq + 12.0 * a.dq) * t
                           - (3.0 * a.ddq - b.ddq) * t ** 2) / (2.0 * t ** 3)
        coefficients[4] = (-30.0 * delta + (14.0 * b.dq + 16.0 * a.dq) * t
                           + (3.0 * a.ddq - 2.0 * b.ddq) * t ** 2) / (2.0 * t ** 4)
        coefficients[5] = (12.0 * delta - 6.0 * (b.dq + a.dq) * t
                           + (b.ddq - a.ddq) * t ** 2) / (2.0 * t ** 5)
    return coefficients
