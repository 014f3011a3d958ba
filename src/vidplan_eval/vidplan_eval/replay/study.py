# SPDX-License-Identifier: Apache-2.0
"""Go through a recording once, moment by moment: imagine, compare, plan, and keep the numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from vidplan_core.data.observation import Observation
from vidplan_core.planner.plans.result import Task
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.bags.observations import ObservationStream
from vidplan_eval.replay.fidelity import BATCH, Fidelity, FidelityMeter, FidelityRows
from vidplan_eval.replay.hindsight import HindsightChoice, choice_at, choice_entry
from vidplan_eval.replay.log import hindsight_record
from vidplan_eval.replay.windows import (
    ObservationWindow,
    chosen_windows,
    kind_of,
    moves,
    sliding_windows,
    window_places,
)
from vidplan_eval.viz.logbook import seen_frame
from vidplan_eval.viz.runlog import NO_PICTURES, RunLog

# So many of the moments that turned out least as imagined are kept as pictures.
WORST = 3

Progress = Callable[[int], None]


@dataclass
class ReplayStudy:
    """What is learned of a recording; pictures are kept of its beginning and its worst moments.

    Attributes:
        kinds: of every window, of `windows.KINDS`.
        in_motion: of every window, whether the flange moves.
        entries: of every plan, what was chosen and why.
        latencies_s: of every plan, wall clock.
        seen: observations whose pictures were read.
        unread: moments whose pictures no window needs.
        first_s: stamp of the first moment.
        last_s: stamp of the last one.
        worst: the windows in motion that differ most from what was imagined, the worst first.
        busiest: the window with the longest way.
    """

    kinds: list[str] = field(default_factory=list)
    in_motion: list[bool] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    seen: int = 0
    unread: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    worst: list[tuple[float, ObservationWindow]] = field(default_factory=list)
    busiest: tuple[float, ObservationWindow] | None = None
    rows: FidelityRows = field(default_factory=FidelityRows)

    @property
    def fidelity(self) -> Fidelity:
        """Measurements of all windows."""
        return self.rows.whole()

    def compare(self, batch: list[ObservationWindow], meter: FidelityMeter) -> None:
        """Measure some windows."""
        part = meter.compare_batch(batch)
        self.rows.add(part)
        lost = (part.reconstructed - part.imagined).mean(axis=(1, 2))
        for window, lost_db in zip(batch, lost):
            self.kinds.append(kind_of(window))
            self.in_motion.append(moves(window))
            way = float(abs(window.future[-1].position - window.future[0].position).sum())
            if self.busiest is None or way > self.busiest[0]:
                self.busiest = way, window
            if self.in_motion[-1]:
                self.worst = _worst([*self.worst, (float(lost_db), window)])

    def plan(self, choice: HindsightChoice, committed_frames: int) -> None:
        """Keep what the planner would have chosen."""
        self.entries.append(choice_entry(choice, committed_frames))
        if choice.result is not None:
            self.latencies_s.append(choice.result.latency_s)


def study(
    stream: ObservationStream,
    system: PlanningSystem,
    meter: FidelityMeter,
    *,
    task: Task | None,
    plan_every: int,
    every: int = 1,
    log: RunLog | None = None,
    log_s: float = 120.0,
    progress: Progress = lambda passed: None,
) -> ReplayStudy:
    """Go through observations once; memory does not grow with their number.

    Args:
        stream: of the recording.
        system: that plans.
        meter: that imagines and compares.
        task: to plan for; None only imagines.
        plan_every: windows between two plans.
        every: moments between two windows; pictures that none of them shows are not decoded.
        log: takes up what was seen, imagined and chosen; None for no pictures.
        log_s: how much of the beginning the log takes up.
        progress: is called with how many moments have been passed.
    """
    found = ReplayStudy(first_s=stream.stamps_s[0], last_s=stream.stamps_s[-1])
    model = system.world_model.config
    sizes = (model.history_frames, model.frames, model.frame_period_s, model.history_ages)
    logged = _Logged(found, log, found.first_s + log_s, progress)
    windows = _windows(stream, sizes, every, logged)
    number = 0
    while batch := list(islice(windows, BATCH)):
        found.compare(batch, meter)
        for window in batch:
            if number % plan_every == 0:
                _plan(found, system, meter, task, window, log, log_s)
            number += 1
    return found


@dataclass(frozen=True)
class _Logged:
    """Counts observations as they pass, and takes those of the beginning into the log."""

    found: ReplayStudy
    log: RunLog | None
    until_s: float
    progress: Progress

    def passed(
        self, numbered: Iterable[tuple[int, Observation]]
    ) -> Iterator[tuple[int, Observation]]:
        for number, seen in numbered:
            self.found.seen += 1
            if self.shows(seen.stamp_s) and self.log is not None:
                self.log.seen.append(seen_frame(seen))
            self.progress(number + 1)
            yield number, seen

    def shows(self, stamp_s: float) -> bool:
        return self.log is not None and stamp_s <= self.until_s


def _windows(
    stream: ObservationStream,
    sizes: tuple[int, int, float, tuple[int, ...]],
    every: int,
    logged: _Logged,
) -> Iterator[ObservationWindow]:
    if every == 1:
        return sliding_windows((seen for _, seen in logged.passed(stream.numbered())), *sizes)
    chosen = list(islice(window_places(stream.stamps_s, *sizes), 0, None, every))
    wanted = {number for places in chosen for number in places.numbers}
    wanted |= {number for number, at_s in enumerate(stream.stamps_s) if logged.shows(at_s)}
    logged.found.unread = len(stream) - len(wanted)
    return chosen_windows(chosen, logged.passed(stream.numbered(wanted)))


def _plan(
    found: ReplayStudy,
    system: PlanningSystem,
    meter: FidelityMeter,
    task: Task | None,
    window: ObservationWindow,
    log: RunLog | None,
    log_s: float,
) -> None:
    choice = None if task is None else choice_at(system, task, window)
    if choice is not None:
        found.plan(choice, system.config.committed_frames)
    if log is not None and window.future[0].stamp_s <= found.first_s + log_s:
        imagined = meter.imagine([window])[0]
        result = None if choice is None else choice.result
        futures = NO_PICTURES if result is None else meter.futures(window, result.candidates)
        log.plans.append(hindsight_record(len(log.plans), window, imagined, choice, futures))


def _worst(
    candidates: list[tuple[float, ObservationWindow]],
) -> list[tuple[float, ObservationWindow]]:
    """Keep the worst, no two of which show the same frames."""
    kept: list[tuple[float, ObservationWindow]] = []
    for lost_db, window in sorted(candidates, key=lambda one: -one[0]):
        apart = all(abs(window.index - other.index) >= len(window.future) for _, other in kept)
        if apart and np.isfinite(lost_db):
            kept.append((lost_db, window))
    return kept[:WORST]
