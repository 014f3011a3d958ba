# SPDX-License-Identifier: Apache-2.0
"""How soon pictures that cannot be true are noticed, and how often true ones are doubted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidplan_core.data.plausibility import PlausibilityConfig, ViewMonitor
from vidplan_core.errors import ObservationError
from vidplan_core.geometry.camera_layout import Image
from vidplan_core.metrics.intervals import exact_interval
from vidplan_sim.cell import Cell
from vidplan_sim.expert.script import run_expert
from vidplan_sim.scene import random_scene

Array = NDArray[np.float64]
Pictures = dict[str, Image]

PERIOD_S, LONGEST_S = 0.1, 6.0
# Faults begin while the flange is at least this fast, m/s, so long after the start and before
# the end, looks.
_MOVING_M_S, _BEFORE, _AFTER = 0.05, 10, 20
# Alarms later than this after a fault began come too late, s; while the flange is slower than
# this, m/s, there is nothing to stop, and the time does not count.
IN_TIME_S, _STANDING_M_S = 1.0, 0.01
# Part of the width by which a moved camera's picture is shifted, and the noise, of 255 levels.
_SHIFT, _NOISE = 0.2, 30.0


@dataclass(frozen=True, eq=False)
class Look:
    """Pictures of a moment, and where the flange is: position (3,), m, and rotation (3, 3)."""

    stamp_s: float
    pictures: Pictures
    position: Array
    rotation: Array


# What a fault makes of the pictures: of now, of when it began, and of one second before that.
Fault = Callable[[Pictures, Pictures, Pictures, np.random.Generator], Pictures]


def _frozen(now: Pictures, began: Pictures, old: Pictures, _: np.random.Generator) -> Pictures:
    return now | {'left': began['left']}


def _all_frozen(now: Pictures, began: Pictures, old: Pictures, _: np.random.Generator) -> Pictures:
    return began


def _old(now: Pictures, began: Pictures, old: Pictures, _: np.random.Generator) -> Pictures:
    return old


def _noise(now: Pictures, began: Pictures, old: Pictures, random: np.random.Generator) -> Pictures:
    clean = now['right']
    noisy = clean + random.normal(0.0, _NOISE, clean.shape)
    return now | {'right': np.clip(noisy, 0, 255).astype(np.uint8)}


def _swapped(now: Pictures, began: Pictures, old: Pictures, _: np.random.Generator) -> Pictures:
    return now | {'left': now['right'], 'right': now['left']}


def _wrist_swapped(
    now: Pictures, began: Pictures, old: Pictures, _: np.random.Generator
) -> Pictures:
    return now | {'left': now['wrist'], 'wrist': now['left']}


def _moved(now: Pictures, began: Pictures, old: Pictures, _: np.random.Generator) -> Pictures:
    shift = round(_SHIFT * now['left'].shape[1])
    index = np.clip(np.arange(now['left'].shape[1]) + shift, 0, now['left'].shape[1] - 1)
    return now | {'left': now['left'][:, index]}


FAULTS: Mapping[str, Fault] = {
    'frozen_left': _frozen, 'frozen_all': _all_frozen, 'old_pictures': _old,
    'noise_right': _noise, 'left_and_right_swapped': _swapped,
    'left_and_wrist_swapped': _wrist_swapped, 'left_moved': _moved,
}  # fmt: skip


class _OverError(Exception):
    """An episode has lasted long enough."""


def watch_expert(cell: Cell, seed: int) -> list[Look]:
    """Look on while the script picks something up and puts it into the bowl."""
    cell.reset(random_scene(seed))
    looks = [_look(cell)]

    def step(duration_s: float = PERIOD_S) -> None:
        end_s = cell.time_s + duration_s
        while (left_s := end_s - cell.time_s) > 0.5 * cell.timestep_s:
            due_s = looks[-1].stamp_s + PERIOD_S - cell.time_s
            cell.step(min(left_s, max(due_s, cell.timestep_s)))
            if cell.time_s >= looks[-1].stamp_s + PERIOD_S - 1e-6:
                looks.append(_look(cell))
            if cell.time_s > LONGEST_S:
                raise _OverError

    kind = next(placed.kind for placed in cell.scene.objects if placed.kind != 'bowl')
    with contextlib.suppress(_OverError):
        run_expert(cell, kind, step=step)
    return looks


def _look(cell: Cell) -> Look:
    position, rotation = cell.flange_pose()
    pictures = {view: np.array(picture) for view, picture in cell.render().items()}
    return Look(cell.time_s, pictures, np.array(position), np.array(rotation))


def first_alarm(
    config: PlausibilityConfig, looks: list[Look], fault: Fault | None, begin: int, seed: int = 0
) -> float | None:
    """Return how long the arm moves from look `begin`, where a fault begins, to an alarm, s.

    Negative for an alarm before that, None where there is none.
    """
    monitor, random = ViewMonitor(config, moving=('wrist',)), np.random.default_rng(seed)
    began = looks[begin].pictures
    old = looks[max(0, begin - round(1.0 / PERIOD_S))].pictures
    for number, look in enumerate(looks):
        pictures = look.pictures
        if fault is not None and number >= begin:
            pictures = fault(pictures, began, old, random)
        try:
            monitor.check(look.stamp_s, pictures, look.position, look.rotation)
        except ObservationError:
            return _moving_s(looks[begin : number + 1]) if number >= begin else -1.0
    return None


def _moving_s(looks: list[Look]) -> float:
    """Return for how long the flange moves between the first and the last of some looks, s."""
    return float(PERIOD_S * (_speeds(looks) > _STANDING_M_S).sum())


def _speeds(looks: list[Look]) -> Array:
    """Return the speeds (N - 1,) of the flange between N looks, m/s."""
    places = np.stack([look.position for look in looks])
    return np.asarray(np.linalg.norm(np.diff(places, axis=0), axis=-1) / PERIOD_S)


def beginning(looks: list[Look], seed: int) -> int | None:
    """Return a look at which the arm moves, None where there is none."""
    moving = np.flatnonzero(_speeds(looks) > _MOVING_M_S)
    moving = moving[(moving >= _BEFORE) & (moving < len(looks) - _AFTER)]
    return int(np.random.default_rng(seed).choice(moving)) if len(moving) else None


def measure(config: PlausibilityConfig, seed: int, episodes: int) -> dict[str, Any]:
    """Count false alarms, and faults that are noticed in time; equal seeds give equal results."""
    cell, alarms = Cell(), 0
    delays: dict[str, list[float]] = {name: [] for name in FAULTS}
    for number in range(seed, seed + episodes):
        looks = watch_expert(cell, number)
        alarms += first_alarm(config, looks, None, 0) is not None
        if (begin := beginning(looks, number)) is None:
            continue
        for name, fault in FAULTS.items():
            delay_s = first_alarm(config, looks, fault, begin, number)
            delays[name].append(np.inf if delay_s is None else delay_s)
    cell.close()
    rows = {name: _row(np.array(values)) for name, values in delays.items()}
    return {'episodes': episodes, 'false_alarms': _share(alarms, episodes), 'faults': rows}


def _row(delays_s: Array) -> dict[str, Any]:
    in_time = int(((delays_s >= 0) & (delays_s <= IN_TIME_S)).sum())
    finite = delays_s[np.isfinite(delays_s)]
    slowest_s = float(np.quantile(finite, 0.95)) if len(finite) else None
    return {'in_time': _share(in_time, len(delays_s)), 'delay_p95_s': slowest_s}


def _share(count: int, of: int) -> dict[str, Any]:
    low, high = exact_interval(count, of)
    return {'count': count, 'of': of, 'interval': [low, high]}
