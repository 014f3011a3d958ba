# SPDX-License-Identifier: Apache-2.0
"""The time law of a joint motion: smooth, within limits, and at rest at its end."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from vidplan_core.geometry.limits import JointLimits
from vidplan_core.geometry.path import JointTrajectoryPlan

Array = NDArray[np.float64]

# How much longer than asked a motion may take before it is better to stop and begin again.
_STRETCHES = (1.0, 1.1, 1.25, 1.4, 1.6, 2.0)

# A joint slower than this counts as resting, rad/s; braking from it would take no time.
_RESTING_RAD_S = 1e-6

# How long a command to stay lasts: long enough for a controller to receive it before its end.
HOLD_S = 0.1


def joint_trajectory(
    q_waypoints: ArrayLike,
    dq0: ArrayLike,
    period_s: float,
    limits: JointLimits,
    first_s: float | None = None,
) -> JointTrajectoryPlan:
    """Join waypoints smoothly, from the velocity `dq0` at the first to rest at the last.

    A spline with continuous acceleration goes through the waypoints at their times. When it would
    break a limit, the motion slows down as a whole; when that is not enough (the arm moves fast
    in a wrong direction), it brakes along its present direction and goes on from rest.

    Args:
        q_waypoints: (F, 7), rad; the first is where the arm is.
        dq0: velocity at the first waypoint (7,), rad/s.
        period_s: time between waypoints, s.
        limits: kept everywhere, also between waypoints. A start outside them, or one so fast that
            no braking keeps them, is followed inwards as well as it can be.
        first_s: time from the first to the second waypoint when it is not a whole period, s.

    Returns:
        A motion whose last velocity is exactly zero.
    """
    waypoints, start = np.asarray(q_waypoints, np.float64), np.asarray(dq0, np.float64)
    _check(waypoints, start, period_s)
    times = period_s * np.arange(len(waypoints), dtype=np.float64)
    if first_s is not None:
        times[1:] += first_s - period_s
    allowed = _reaching(limits, waypoints[0], start)
    for stretch in _STRETCHES:
        plan = _spline(stretch * times, waypoints, start)
        if plan.violation(allowed) is None:
            return plan
    if np.abs(start).max() < _RESTING_RAD_S:
        return _rest_to_rest(times, waypoints, limits)
    braking = brake(waypoints[0], start, limits)
    onwards = np.concatenate((braking.q[-1:], waypoints[1:]))
    return braking.then(_rest_to_rest(times, onwards, limits))


def brake(
    q: ArrayLike, dq: ArrayLike, limits: JointLimits, hard: JointLimits | None = None
) -> JointTrajectoryPlan:
    """Come to rest along the present direction, as fast as the accelerations allow.

    It takes at least HOLD_S: a controller that receives a stop later than the stop should have
    ended would refuse it, or jump. All joints stop at the same time, so that the arm keeps its
    direction. Where that would pass a position limit of `hard`, it brakes harder, up to the
    accelerations of `hard`.

    Args:
        q: present angles (7,), rad.
        dq: present velocities (7,), rad/s.
        limits: whose accelerations to use.
        hard: limits that must not be passed.
    """
    start, speed = np.asarray(q, np.float64), np.asarray(dq, np.float64)
    if np.abs(speed).max() < _RESTING_RAD_S:
        return hold(start)
    duration_s = max(HOLD_S, (np.abs(speed) / limits.acceleration).max())
    if hard is not None:
        ends = np.where(speed > 0, hard.upper, hard.lower)
        room = np.maximum((ends - start) * np.sign(speed), 0)
        moving = np.abs(speed) > _RESTING_RAD_S
        needed_s = (2 * room[moving] / np.abs(speed[moving])).min()
        shortest_s = (np.abs(speed) / hard.acceleration).max()
        duration_s = min(duration_s, max(needed_s, shortest_s))
    times = np.array([0.0, duration_s])
    stopped = start + speed * duration_s / 2
    return JointTrajectoryPlan(
        times, np.stack((start, stopped)), np.stack((speed, np.zeros_like(speed)))
    )


def brake_along(
    path: JointTrajectoryPlan, elapsed_s: float, limits: JointLimits
) -> JointTrajectoryPlan:
    """Come to rest on a path that is being followed, as fast as the limits allow.

    Time slows down evenly along the path, s'(t) = 1 - t/T with the least T that keeps the limits:
    the arm stays where it was going anyway, which has been checked. Where no T is shorter than
    what is left of the path, the path itself ends at rest.

    Args:
        path: the motion.
        elapsed_s: where on it the arm is.
        limits: that must not be passed, beyond what the arm does already.
    """
    allowed = _reaching(limits, *path.sample(elapsed_s)[:2])
    remaining_s = path.duration_s - elapsed_s
    duration_s = HOLD_S
    while duration_s < remaining_s:
        plan = _slowing(path, elapsed_s, duration_s)
        if plan.violation(allowed) is None:
            return plan
        duration_s *= 1.1
    return path.cut(elapsed_s, path.duration_s) if remaining_s > 1e-3 else hold(path.q[-1])


def _slowing(
    path: JointTrajectoryPlan, elapsed_s: float, duration_s: float
) -> JointTrajectoryPlan:
    # Few knots: a controller takes up a stop that comes late on the way to the first.
    part = np.linspace(0.0, 1.0, 1 + math.ceil(duration_s / HOLD_S - 1e-9))
    q, dq, _ = path.sample(elapsed_s + duration_s * (part - part * part / 2))
    return JointTrajectoryPlan(duration_s * part, q, dq * (1 - part)[:, None])


def hold(q: ArrayLike, duration_s: float = HOLD_S) -> JointTrajectoryPlan:
    """Stay at the angles (7,), rad."""
    angles = np.tile(np.asarray(q, np.float64), (2, 1))
    return JointTrajectoryPlan(np.array([0.0, duration_s]), angles, np.zeros_like(angles))


def _spline(times: Array, waypoints: Array, start: Array) -> JointTrajectoryPlan:
    ends = ((1, start), (1, np.zeros_like(start)))
    dq = CubicSpline(times, waypoints, bc_type=ends)(times, 1)
    # The solver returns the end conditions up to rounding; a controller wants an exact zero.
    dq[0], dq[-1] = start, 0.0
    return JointTrajectoryPlan(times, waypoints, dq)


def _rest_to_rest(times: Array, waypoints: Array, limits: JointLimits) -> JointTrajectoryPlan:
    """Join waypoints monotonically (so between them no limit is passed) and slowly enough."""
    slopes = np.diff(waypoints, axis=0) / np.diff(times)[:, None]
    before, after = slopes[:-1], slopes[1:]
    dq = np.zeros_like(waypoints)
    product = before * after
    with np.errstate(divide='ignore', invalid='ignore'):
        # The harmonic mean is at most twice the smaller slope: no overshoot (Fritsch, Butland).
        dq[1:-1] = np.where(product > 0, 2 * product / (before + after), 0.0)
    plan = JointTrajectoryPlan(times, waypoints, dq)
    stretch = max(1.0, _excess(plan, limits))
    return JointTrajectoryPlan(stretch * times, waypoints, dq / stretch)


def _excess(plan: JointTrajectoryPlan, limits: JointLimits) -> float:
    """Return by which factor the motion must slow down to keep velocity and acceleration."""
    # Within a cubic, velocity exceeds its values at the knots by at most 1.5 times the slope.
    slopes = 1.5 * np.diff(plan.q, axis=0) / np.diff(plan.times_s)[:, None]
    speed = np.maximum(np.abs(plan.dq).max(0), np.abs(slopes).max(0))
    start, jerk = plan._segments()
    end = start + jerk * np.diff(plan.times_s)[:, None]
    acceleration = np.maximum(np.abs(start), np.abs(end)).max(0)
    by_speed = (speed / limits.velocity).max()
    by_acceleration = np.sqrt((acceleration / limits.acceleration).max())
    return float(max(by_speed, by_acceleration))


def _reaching(limits: JointLimits, q0: Array, dq0: Array) -> JointLimits:
    """Return limits that reach to a start outside them: it is a fact, not a choice."""
    return JointLimits(
        limits.names,
        np.minimum(limits.lower, q0),
        np.maximum(limits.upper, q0),
        np.maximum(limits.velocity, np.abs(dq0)),
        limits.acceleration,
    )


def _check(waypoints: Array, start: Array, period_s: float) -> None:
    if waypoints.ndim != 2 or len(waypoints) < 2 or start.shape != waypoints.shape[1:]:
        raise ValueError(
            'need at least two waypoints (F, 7) and a velocity (7,), got '
            f'{waypoints.shape} and {start.shape}'
        )
    if not np.isfinite(waypoints).all() or not np.isfinite(start).all() or not period_s > 0:
        raise ValueError('waypoints and velocity must be finite and the period positive')
