# SPDX-License-Identifier: Apache-2.0
"""Counts how often a fault of the cameras stops the arm in time, and how often none does."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidplan_core.data.plausibility import PlausibilityConfig, ViewMonitor
from vidplan_core.errors import ObservationError
from vidplan_eval.results import read_rows, share, write_json
from vidplan_eval.suites.views.faults import FAULTS, Fault, Pictures
from vidplan_eval.suites.views.looks import PERIOD_S, Look, watch_episode
from vidplan_sim.cell import Cell

Array = NDArray[np.float64]

# Faults begin while the flange is at least this fast, m/s, so many looks after the start and
# before the end.
_MOVING_M_S, _BEFORE, _AFTER = 0.05, 13, 20
# An arm that rests later than this after a fault began does so too late, s; while the flange is
# slower than this, m/s, there is nothing to stop, and the time does not count.
IN_TIME_S, _STANDING_M_S = 1.0, 0.01
# What passes at most until the adapter hears of it: the task's longest nap and one control period.
REACTION_S = 0.07


def seconds_to_rest(
    monitor: ViewMonitor, looks: Sequence[Look], fault: Fault | None, begin: int, seed: int
) -> float | None:
    """Return how long the arm moves from look `begin`, where a fault begins, until it rests, s.

    None where nothing is noticed; `monitor` has seen the looks before.
    """
    monitor, random = copy.deepcopy(monitor), np.random.default_rng(seed)
    began = looks[begin].pictures
    old = looks[max(0, begin - round(1.0 / PERIOD_S))].pictures
    for number, look in enumerate(looks[begin:], begin):
        pictures = fault(look.pictures, began, old, random) if fault else look.pictures
        if doubted(monitor, look, pictures):
            return _moving_s(looks[begin : number + 1]) + REACTION_S + look.rest_s
    return None


def doubted(monitor: ViewMonitor, look: Look, pictures: Pictures) -> bool:
    """Whether a monitor does not believe pictures of a moment."""
    try:
        monitor.check(
            look.stamp_s, pictures, look.position, look.rotation, look.closedness
        )
    except ObservationError:
        return True
    return False


def _moving_s(looks: Sequence[Look]) -> float:
    """Return for how long the flange moves between the first and the last of some looks, s."""
    return float(PERIOD_S * (_speeds(looks) > _STANDING_M_S).sum())


def _speeds(looks: Sequence[Look]) -> Array:
    """Return the speeds (N - 1,) of the flange between N looks, m/s."""
    places = np.stack([look.position for look in looks])
    return np.asarray(np.linalg.norm(np.diff(places, axis=0), axis=-1) / PERIOD_S)


def beginning(looks: Sequence[Look], seed: int) -> int | None:
    """Return a look at which the arm moves, None where there is none."""
    moving = np.flatnonzero(_speeds(looks) > _MOVING_M_S)
    moving = moving[(moving >= _BEFORE) & (moving < len(looks) - _AFTER)]
    return int(np.random.default_rng(seed).choice(moving)) if len(moving) else None


def measure(
    config: PlausibilityConfig, seed: int, episodes: int, path: Path | None = None
) -> dict[str, Any]:
    """Count false alarms, and faults that stop the arm in time; equal seeds, equal results.

    Args:
        config: of what is measured.
        seed: of the first episode.
        episodes: how many.
        path: of a file to go on from, and to keep what was found in, from episode to episode.

    Raises:
        ValueError: the file holds something else, and would be lost.
    """
    settings = {'seed': seed, **asdict(config)}
    rows, cell = read_rows(path, settings), Cell()
    for number in range(seed + len(rows), seed + episodes):
        rows.append(_row(config, watch_episode(cell, number), number))
        if path is not None:
            write_json(path, _result(rows, settings))
    cell.close()
    return _result(rows[:episodes], settings)


def _row(config: PlausibilityConfig, looks: Sequence[Look], number: int) -> dict[str, Any]:
    """What became of one episode: `rest_s` by fault, None where nothing was noticed."""
    monitor, begin = ViewMonitor(config, moving=('wrist',)), beginning(looks, number)
    alarm, rest_s = False, {}
    for index, look in enumerate(looks):
        if index == begin:
            for name, fault in FAULTS.items():
                rest_s[name] = seconds_to_rest(monitor, looks, fault, begin, number)
        alarm |= doubted(monitor, look, look.pictures)
    return {'seed': number, 'false_alarm': alarm, 'rest_s': rest_s}


def _result(rows: list[dict[str, Any]], settings: dict[str, Any]) -> dict[str, Any]:
    faults = {}
    for name in FAULTS:
        tries = [row['rest_s'][name] for row in rows if row['rest_s']]
        faults[name] = _fault(np.array([np.inf if rest_s is None else rest_s for rest_s in tries]))
    alarms = sum(row['false_alarm'] for row in rows)
    return {
        'episodes': len(rows), 'false_alarms': share(alarms, len(rows)), 'faults': faults,
        'settings': settings, 'rows': rows,
    }  # fmt: skip


def _fault(rests_s: Array) -> dict[str, Any]:
    in_time = int((rests_s <= IN_TIME_S).sum())
    finite = rests_s[np.isfinite(rests_s)]
    slowest_s = float(np.quantile(finite, 0.95)) if len(finite) else None
    return {'in_time': share(in_time, len(rests_s)), 'rest_p95_s': slowest_s}
