# SPDX-License-Identifier: Apache-2.0
"""What can be checked of a plan before the arm's state is looked at."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidplan_core.control.commands import PlanCommand
from vidplan_core.control.rejection import (
    FUTURE,
    INVALID,
    NONFINITE,
    SPEED,
    STALE,
    TOO_LONG,
    WRONG_SIZE,
)
from vidplan_core.errors import CommandRejectedError

Array = NDArray[np.float64]

# Two computers' clocks, or one simulation step, may disagree by this much.
_CLOCK_TOLERANCE_S = 0.05

# Rounding of single precision and of messages; anything more is a mistake.
_UNIT_TOLERANCE = 1e-2
_CLOSEDNESS_TOLERANCE = 1e-3


def require_finite(name: str, values: ArrayLike) -> None:
    """Raise NONFINITE, naming the first entry that is NaN or infinite."""
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        raise CommandRejectedError(
            NONFINITE, f'{name} must be finite, got {array[tuple(where)]} at {where}'
        )


def check_sizes(plan: PlanCommand, max_frames: int) -> None:
    """Raise WRONG_SIZE unless the arrays are of one length, 2 .. max_frames."""
    found = tuple(np.shape(v) for v in (plan.positions, plan.quaternions, plan.closedness))
    count = found[0][0] if found[0] else 0
    if found != ((count, 3), (count, 4), (count,)):
        raise CommandRejectedError(
            WRONG_SIZE,
            'a plan needs positions (F, 3), quaternions (F, 4) and closedness (F,), '
            f'got {found[0]}, {found[1]} and {found[2]}',
        )
    if not 2 <= count <= max_frames:
        raise CommandRejectedError(WRONG_SIZE, f'a plan has 2 .. {max_frames} frames, got {count}')


def check_numbers(plan: PlanCommand) -> None:
    """Raise NONFINITE or INVALID unless the numbers are finite and mean something."""
    require_finite('stamp, start and period', [plan.stamp_s, plan.start_s, plan.period_s])
    for name in ('positions', 'quaternions', 'closedness'):
        require_finite(name, getattr(plan, name))
    with np.errstate(over='ignore'):
        lengths = np.linalg.norm(plan.quaternions, axis=-1)
    worst = lengths[np.abs(lengths - 1).argmax()]
    if abs(worst - 1) > _UNIT_TOLERANCE:
        raise CommandRejectedError(INVALID, f'quaternions must have length 1, got {worst:.4f}')
    low, high = float(np.min(plan.closedness)), float(np.max(plan.closedness))
    if low < -_CLOSEDNESS_TOLERANCE or high > 1 + _CLOSEDNESS_TOLERANCE:
        raise CommandRejectedError(
            INVALID, f'closedness must be in 0 .. 1, got {low:.3f} .. {high:.3f}'
        )


def check_times(
    plan: PlanCommand, now_s: float, max_age_s: float, max_delay_s: float, max_period_s: float
) -> None:
    """Raise STALE, FUTURE or INVALID unless the plan is fresh and begins about now."""
    if not 0 < plan.period_s <= max_period_s:
        raise CommandRejectedError(
            INVALID, f'period_s must be in 0 .. {max_period_s} s, got {plan.period_s}'
        )
    age_s = now_s - plan.stamp_s
    if age_s > max_age_s:
        raise CommandRejectedError(
            STALE,
            f'the plan was made from an observation {age_s:.3f} s old, allowed {max_age_s:.3f} s; '
            'is the planner overloaded?',
        )
    if age_s < -_CLOCK_TOLERANCE_S:
        raise CommandRejectedError(
            FUTURE, f'the observation is stamped {-age_s:.3f} s ahead; are the clocks set?'
        )
    late_s = now_s - plan.start_s
    if late_s >= plan.period_s:
        raise CommandRejectedError(
            STALE,
            f'the plan came {late_s:.3f} s after its start, allowed less than one frame '
            f'({plan.period_s:.3f} s); commit to more frames while planning',
        )
    if -late_s > max_delay_s:
        raise CommandRejectedError(
            FUTURE, f'the plan begins in {-late_s:.3f} s, allowed {max_delay_s:.3f} s'
        )


def check_duration(duration_s: float, max_duration_s: float) -> None:
    """Raise TOO_LONG for a motion that goes on for long without anybody planning."""
    if not duration_s <= max_duration_s:
        raise CommandRejectedError(
            TOO_LONG,
            f'it lasts {duration_s:.2f} s, allowed {max_duration_s:.2f} s; plan fewer frames',
        )


def check_speeds(
    plan: PlanCommand, rotations: Array, max_speed_m_s: float, max_turn_rad_s: float
) -> None:
    """Raise SPEED when the flange moves or turns too fast between frames, (F, 3, 3) rotations."""
    speeds = np.linalg.norm(np.diff(plan.positions, axis=0), axis=-1) / plan.period_s
    turns = rotation_angle(rotations[:-1], rotations[1:]) / plan.period_s
    for values, most, verb, unit in (
        (speeds, max_speed_m_s, 'moves', 'm/s'),
        (turns, max_turn_rad_s, 'turns', 'rad/s'),
    ):
        frame = int(values.argmax())
        if values[frame] > most:
            raise CommandRejectedError(
                SPEED,
                f'the flange {verb} at {values[frame]:.3f} {unit} to frame {frame + 1}, '
                f'allowed {most:.3f} {unit}',
            )


def rotation_angle(first: ArrayLike, second: ArrayLike) -> Array:
    """Return the angle between rotations (..., 3, 3), rad; NaN stays NaN."""
    chord = np.linalg.norm(np.subtract(first, second), axis=(-2, -1))
    return np.asarray(2 * np.arcsin(np.minimum(1.0, chord / (2 * math.sqrt(2)))))
