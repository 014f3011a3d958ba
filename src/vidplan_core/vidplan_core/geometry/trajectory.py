# SPDX-License-Identifier: Apache-2.0
"""The time law of a joint motion: smooth in acceleration, within limits, at rest at its end."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import BSpline, make_interp_spline

from vidplan_core.geometry.limits import JointLimits
from vidplan_core.geometry.path import SAME_TIME_S, JointTrajectoryPlan

Array = NDArray[np.float64]

#: Angles, velocities and accelerations (7,) of the joints at one time.
JointMoment = tuple[Array, Array, Array]

# How much longer than asked a motion may take before it is better to stop and begin again, how
# often that is tried, and the least that a further try takes longer.
_LONGEST_STRETCH, _TRIES, _LEAST = 2.0, 6, 1.005

# Joints slower than this count as resting, rad/s and rad/s^2; braking would take no time.
_RESTING = 1e-6

# How long a command to stay lasts: long enough for a controller to receive it before its end.
HOLD_S = 0.1

# A quintic's third and fourth derivative at its start and at its end: shares of velocity and
# acceleration at the start and at the end and of its way, over powers of its length.
_AT_START = np.array([[-36.0, -9.0, -24.0, 3.0], [192.0, 36.0, 168.0, -24.0]])
_AT_END = np.array([[-24.0, -3.0, -36.0, 9.0], [-168.0, -24.0, -192.0, 36.0]])
_SHARE_POWER = np.array([[2, 1, 2, 1], [3, 2, 3, 2]])
_WAY, _WAY_POWER = np.array([60.0, 360.0]), np.array([3, 4])

# Ratio of durations that are tried for a stop, and the longest, s.
_LONGER, _LONGEST_S = 1.1, 3.0


def joint_trajectory(
    q_waypoints: ArrayLike,
    dq0: ArrayLike,
    period_s: float,
    limits: JointLimits,
    first_s: float | None = None,
    ddq0: ArrayLike | None = None,
) -> JointTrajectoryPlan:
    """Join waypoints smoothly, from the state at the first to rest at the last.

    A quintic spline goes through the waypoints at their times. When it would break a limit, the
    motion slows down as a whole; when that is not enough (the arm moves fast in a wrong
    direction), it brakes along its present direction and goes on from rest.

    Args:
        q_waypoints: (F, 7), rad; the first is where the arm is.
        dq0: velocity at the first waypoint (7,), rad/s.
        period_s: time between waypoints, s.
        limits: kept everywhere, also between waypoints. A start outside them, or one so fast that
            no braking keeps them, is followed inwards as well as it can be.
        first_s: time from the first to the second waypoint when it is not a whole period, s.
        ddq0: acceleration at the first waypoint (7,), rad/s^2; none if None.

    Returns:
        A motion whose acceleration is continuous and whose last state is exactly at rest.
    """
    waypoints, start = np.asarray(q_waypoints, np.float64), np.asarray(dq0, np.float64)
    rate = np.zeros_like(start) if ddq0 is None else np.asarray(ddq0, np.float64)
    _check(waypoints, start, rate, period_s)
    times = period_s * np.arange(len(waypoints), dtype=np.float64)
    if first_s is not None:
        times[1:] += first_s - period_s
    allowed = _reaching(limits, (waypoints[0], start, rate))
    if (plan := _stretched(times, waypoints, start, rate, allowed)) is not None:
        return plan
    if max(np.abs(start).max(), np.abs(rate).max()) < _RESTING:
        return _rest_to_rest(times, waypoints, limits)
    braking = brake((waypoints[0], start, rate), limits)
    onwards = np.concatenate((braking.q[-1:], waypoints[1:]))
    return braking.then(_rest_to_rest(times, onwards, limits))


def brake(
    moment: JointMoment, limits: JointLimits, hard: JointLimits | None = None
) -> JointTrajectoryPlan:
    """Come to rest along the present direction, as fast as the accelerations allow.

    It takes at least HOLD_S: a controller that receives a stop later than the stop should have
    ended would refuse it, or jump. All joints stop at the same time, so that the arm keeps its
    direction. Where that would pass a limit, it brakes harder, within `hard`.

    Args:
        moment: the present state.
        limits: whose accelerations to use.
        hard: limits that must not be passed; `limits` if None.
    """
    q, dq, ddq = (np.asarray(values, np.float64) for values in moment)
    if max(np.abs(dq).max(), np.abs(ddq).max()) < _RESTING:
        return hold(q)
    # The steepest of 3 x^2 - 2 x^3 is 1.5.
    quickest_s = 1.5 * float((np.abs(dq) / (hard or limits).acceleration).max())
    steps = math.ceil(math.log(_LONGEST_S / HOLD_S, _LONGER))
    durations = [HOLD_S * _LONGER**step for step in range(steps)]
    for kept in (limits, hard or limits):
        allowed = _reaching(kept, (q, dq, ddq))
        for duration_s in durations:
            if duration_s > quickest_s / _LONGER:
                plan = _braking((q, dq, ddq), duration_s)
                if plan.violation(allowed) is None:
                    return plan
    # Too near to the end of a joint: accelerations are kept, and the controller has its own end.
    return _braking((q, dq, ddq), max(HOLD_S, quickest_s))


def brake_along(
    path: JointTrajectoryPlan, elapsed_s: float, limits: JointLimits
) -> JointTrajectoryPlan:
    """Come to rest on a path that is being followed, as fast as the limits allow.

    Time slows down smoothly along the path, s'(t) = 1 - 3 (t/T)^2 + 2 (t/T)^3 with the least T
    that keeps the limits: the arm stays where it was going anyway, which has been checked. Where
    no T is shorter than what is left of the path, the path itself ends at rest.

    Args:
        path: the motion.
        elapsed_s: where on it the arm is.
        limits: that must not be passed, beyond what the arm does already.
    """
    allowed = _reaching(limits, path.sample(elapsed_s))
    remaining_s = path.duration_s - elapsed_s
    duration_s = HOLD_S
    while duration_s < remaining_s:
        plan = _slowing(path, elapsed_s, duration_s)
        if plan.violation(allowed) is None:
            return plan
        duration_s *= _LONGER
    if remaining_s > SAME_TIME_S:
        return path.cut(elapsed_s, path.duration_s)
    return _to_rest(path.sample(elapsed_s), path.q[-1], HOLD_S)


@lru_cache(maxsize=64)
def rest_spline(times_s: tuple[float, ...]) -> BSpline:
    """Return the quintic spline through F waypoints, as weights (..., F + 2) of its points.

    Points are the waypoints at `times_s`, then velocity and acceleration at the first; at the
    last both are zero. Its first four derivatives are continuous.
    """
    count = len(times_s)
    unit, rest = np.eye(count + 2), np.zeros(count + 2)
    starts = [(1, unit[count]), (2, unit[count + 1])]
    ends = [(1, rest), (2, rest)]
    return make_interp_spline(times_s, unit[:count], k=5, bc_type=(starts, ends))


def _slowing(
    path: JointTrajectoryPlan, elapsed_s: float, duration_s: float
) -> JointTrajectoryPlan:
    # Few knots: a controller takes up a stop that comes late on the way to the first.
    part = np.linspace(0.0, 1.0, 1 + math.ceil(duration_s / HOLD_S - 1e-9))
    q, dq, ddq = path.sample(elapsed_s + duration_s * (part - part**3 + part**4 / 2))
    pace = (1 - part * part * (3 - 2 * part))[:, None]
    slower = (-6 * part * (1 - part) / duration_s)[:, None]
    ddq = ddq * pace**2 + dq * slower
    return JointTrajectoryPlan(duration_s * part, q, dq * pace, ddq)


def hold(q: ArrayLike, duration_s: float = HOLD_S) -> JointTrajectoryPlan:
    """Stay at the angles (7,), rad."""
    angles = np.asarray(q, np.float64)
    return _to_rest((angles, 0 * angles, 0 * angles), angles, duration_s)


def _to_rest(moment: JointMoment, end: Array, duration_s: float) -> JointTrajectoryPlan:
    """Go from a state to rest at the angles `end` (7,) by one quintic."""
    q, dq, ddq = (np.stack((values, np.zeros_like(values))) for values in moment)
    q[1] = end
    return JointTrajectoryPlan(np.array([0.0, duration_s]), q, dq, ddq)


def _braking(moment: JointMoment, duration_s: float) -> JointTrajectoryPlan:
    """Come to rest by the cubic of velocity that meets velocity and acceleration."""
    q, dq, ddq = moment
    end = q + duration_s * (dq / 2 + duration_s * ddq / 12)
    return _to_rest(moment, end, duration_s)


def _spline(times: Array, waypoints: Array, start: Array, rate: Array) -> JointTrajectoryPlan:
    points = np.concatenate((waypoints, start[None], rate[None]))
    dq, ddq = _knot_weights(tuple(times.tolist())) @ points
    return JointTrajectoryPlan(times, waypoints, dq, ddq)


@lru_cache(maxsize=64)
def _knot_weights(times_s: tuple[float, ...]) -> Array:
    """Return the velocities and accelerations at the knots of `rest_spline`, (2, F, F + 2).

    They follow from third and fourth derivatives that are continuous at the inner knots: found
    so, they take a tenth of the time that the spline takes, and are exact at both ends.
    """
    count, knots = len(times_s), np.arange(len(times_s) - 2)
    before, after = np.diff(times_s)[:-1, None], np.diff(times_s)[1:, None]
    ends, starts = _shares(before, _AT_END), _shares(after, _AT_START)
    # By inner knot, derivative, knot and its velocity and acceleration.
    system = np.zeros((count - 2, 2, count, 2))
    system[knots, :, knots] = ends[..., :2]
    system[knots, :, knots + 1] = ends[..., 2:] - starts[..., :2]
    system[knots, :, knots + 2] = -starts[..., 2:]
    # By inner knot, derivative and point: waypoints, then velocity and acceleration at the first.
    came, goes = _WAY / before**_WAY_POWER, _WAY * [1, -1] / after**_WAY_POWER
    wanted = np.zeros((count - 2, 2, count + 2))
    wanted[knots, :, knots] = came
    wanted[knots, :, knots + 1] = -came - goes
    wanted[knots, :, knots + 2] = goes
    wanted[:, :, count:] -= system[:, :, 0]
    found = np.zeros((count, 2, count + 2))
    found[0, 0, count] = found[0, 1, count + 1] = 1.0
    size = 2 * (count - 2)
    inner = np.linalg.solve(
        system[:, :, 1:-1].reshape(size, size), wanted.reshape(size, count + 2)
    )
    found[1:-1] = inner.reshape(count - 2, 2, count + 2)
    return np.ascontiguousarray(found.swapaxes(0, 1))


def _shares(length_s: Array, shares: Array) -> Array:
    """Shares (2, 4) for segments of lengths (K, 1), (K, 2, 4)."""
    return np.asarray(shares / length_s[..., None] ** _SHARE_POWER)


def _stretched(
    times: Array, waypoints: Array, start: Array, rate: Array, limits: JointLimits
) -> JointTrajectoryPlan | None:
    """Return a spline that is little slower than its limits ask for, None if none is found."""
    stretch = 1.0
    for _ in range(_TRIES):
        plan = _spline(times, waypoints, stretch * start, stretch**2 * rate).slowed(stretch)
        excess = plan.excess(limits)
        if excess < _LEAST and plan.violation(limits) is None:
            return plan
        # The start stays as fast as it is: that makes this a guess.
        stretch *= max(_LEAST, excess)
        if stretch > _LONGEST_STRETCH:
            return None
    return None


def _rest_to_rest(times: Array, waypoints: Array, limits: JointLimits) -> JointTrajectoryPlan:
    """Join waypoints monotonically (so between them no limit is passed) and slowly enough.

    Accelerations are zero at the waypoints: with velocities of up to twice the smaller slope the
    quintic is monotone.
    """
    slopes = np.diff(waypoints, axis=0) / np.diff(times)[:, None]
    before, after = slopes[:-1], slopes[1:]
    dq = np.zeros_like(waypoints)
    product = before * after
    with np.errstate(divide='ignore', invalid='ignore'):
        # The harmonic mean is at most twice the smaller slope: no overshoot (Fritsch, Butland).
        dq[1:-1] = np.where(product > 0, 2 * product / (before + after), 0.0)
    plan = JointTrajectoryPlan(times, waypoints, dq, np.zeros_like(dq))
    return plan.slowed(max(1.0, plan.excess(limits)))


def _reaching(limits: JointLimits, moment: JointMoment) -> JointLimits:
    """Return limits that reach to a start outside them: it is a fact, not a choice."""
    q, dq, ddq = moment
    return replace(
        limits,
        lower=np.minimum(limits.lower, q),
        upper=np.maximum(limits.upper, q),
        velocity=np.maximum(limits.velocity, np.abs(dq)),
        acceleration=np.maximum(limits.acceleration, np.abs(ddq)),
        braking=None,
        braking_offset=None,
    )


def _check(waypoints: Array, start: Array, rate: Array, period_s: float) -> None:
    shape = waypoints.shape[1:]
    if waypoints.ndim != 2 or len(waypoints) < 2 or start.shape != shape or rate.shape != shape:
        raise ValueError(
            'need at least two waypoints (F, 7), a velocity and an acceleration (7,), got '
            f'{waypoints.shape}, {start.shape} and {rate.shape}'
        )
    finite = all(np.isfinite(values).all() for values in (waypoints, start, rate))
    if not finite or not period_s > 0:
        raise ValueError('waypoints and their start must be finite and the period positive')
