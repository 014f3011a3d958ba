# SPDX-License-Identifier: Apache-2.0
"""Counts how often pictures and things that change by themselves are noticed, and how often none.

Faults begin right after a look of a moving arm; what counts is whether one of the next two looks
is too surprising. Beside that, for the first of them: the areas under the curves of surprise, of
novelty and of the uncertainty head, each against the same look without the fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from vidplan_core.data.history import History
from vidplan_core.data.observation import Observation
from vidplan_core.heads.anomaly.unexpected import SurpriseConfig
from vidplan_core.metrics.ranking import Separation
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.results import read_rows, share, write_json
from vidplan_eval.suites.views.cycles import WatchedCycle, watch_cycles
from vidplan_eval.suites.views.faults import FAULTS, Fault
from vidplan_eval.suites.views.judging import NOVELTY, PART, SURPRISE, UNCERTAINTY, OutcomeJudge
from vidplan_eval.world import World
from vidplan_sim.cell import Cell
from vidplan_sim.scene import random_scene

Look = Mapping[str, float]
# Scores between which a curve distinguishes.
SPANS = {
    SURPRISE: (0.0, 14.0), PART: (0.0, 14.0), NOVELTY: (-5.0, 25.0), UNCERTAINTY: (0.0, 1.0),
}  # fmt: skip
LOOKS = 2
_MOVING_M = 0.02  # from look to look
OTHER_SCENE = 'other_scene'


@dataclass
class OutcomeBench:
    """Models, and the cells that they look at."""

    judge: OutcomeJudge
    world: World
    branches: Cell
    past: History

    @classmethod
    def of(cls, system: PlanningSystem) -> OutcomeBench:
        """Look as the models of a system do."""
        model = system.world_model.config
        world = World(Cell(), model.layout, model.frame_period_s)
        past = History(model.history_frames, model.frame_period_s, model.history_ages)
        return cls(OutcomeJudge(system.parts), world, Cell(), past)

    def row(self, seed: int) -> dict[str, Any]:
        """What became of one episode: surprises of all looks, and scores by fault."""
        self.judge.forget()
        cycles = list(watch_cycles(self.world, self.past, self.branches, seed))
        clean = [self._surprise(one, other) for one, other in pairwise(cycles)]
        random = np.random.default_rng(seed)
        begin = _beginning(cycles, random)
        moments = {} if begin is None else self._pictures(cycles, begin, seed, random)
        return {
            'seed': seed, 'clean': [found for found in clean if found],
            'moments': {**moments, **self._accidents(cycles)},
        }  # fmt: skip

    def _surprise(self, cycle: WatchedCycle, after: WatchedCycle) -> dict[str, float]:
        return self.judge.surprise(self.judge.imagine(cycle), after.history[-1])

    def _pictures(
        self, cycles: Sequence[WatchedCycle], begin: int, seed: int, random: np.random.Generator
    ) -> dict[str, Any]:
        """Scores of looks whose pictures are spoiled after the cycle `begin`, by fault."""
        looks = cycles[begin : begin + LOOKS + 1]
        old = cycles[max(0, begin - 2)].history[0]
        self.branches.reset(random_scene(seed + 1))
        other = self.branches.render()
        faults: Mapping[str, Fault] = {**FAULTS, OTHER_SCENE: lambda *_: other}
        moment = self._moment(looks)
        return {
            name: moment | self._faulty(looks[0], self._spoiled(looks, old, fault, random))
            for name, fault in faults.items()
        }

    def _spoiled(
        self, looks: Sequence[WatchedCycle], old: Observation, fault: Fault,
        random: np.random.Generator,
    ) -> list[WatchedCycle]:  # fmt: skip
        """The cycles after the first as they look with a fault since then."""
        split, began = self.world.layout.split, looks[0].history[-1]
        known: dict[int, Observation] = {}

        def seen(look: Observation) -> Observation:
            if look.stamp_s <= began.stamp_s:
                return look
            if id(look) not in known:
                now, then, before = (split(one.image) for one in (look, began, old))
                image = self.world.layout.stitch(fault(now, then, before, random))
                known[id(look)] = replace(look, image=image)
            return known[id(look)]

        return [
            replace(cycle, history=[seen(look) for look in cycle.history]) for cycle in looks[1:]
        ]

    def _accidents(self, cycles: Sequence[WatchedCycle]) -> dict[str, Any]:
        """Scores of one accident of every kind that could happen."""
        last = {name: k for k, cycle in enumerate(cycles[:-1]) for name in cycle.after}
        return {
            name: self._moment(cycles[k:]) | self._faulty(cycles[k], [cycles[k].after[name]])
            for name, k in last.items()
        }

    def _moment(self, cycles: Sequence[WatchedCycle]) -> dict[str, Any]:
        """Scores of the second look, which is without a fault."""
        return {'clean': self.judge.scores(self.judge.imagine(cycles[0]), cycles[1])}

    def _faulty(self, first: WatchedCycle, later: Sequence[WatchedCycle]) -> dict[str, Any]:
        """Scores of the looks after the first, which have a fault."""
        at_once = self.judge.scores(self.judge.imagine(first), later[0])
        others = [self._surprise(one, other) for one, other in pairwise(later)]
        return {'faulty': [found for found in (at_once, *others) if SURPRISE in found]}


def _beginning(cycles: Sequence[WatchedCycle], random: np.random.Generator) -> int | None:
    """A cycle in which the arm moves, with two looks after it; None where there is none."""
    places = np.stack([cycle.history[-1].position for cycle in cycles])
    moved = np.linalg.norm(np.diff(places, axis=0), axis=1)
    moving = np.flatnonzero(moved[: len(moved) - LOOKS + 1] > _MOVING_M)
    return int(random.choice(moving)) if len(moving) else None


def measure(
    system: PlanningSystem, models: str, seed: int, episodes: int, path: Path | None = None
) -> dict[str, Any]:
    """Count false alarms and faults that are noticed; equal seeds, equal results.

    Args:
        system: whose models judge.
        models: what they are called in the result.
        seed: of the first episode.
        episodes: how many.
        path: of a file to go on from, and to keep what was found in, from episode to episode.

    Raises:
        ValueError: the file holds something else, and would be lost.
    """
    settings = {'seed': seed, 'models': models}
    rows, bench = read_rows(path, settings), OutcomeBench.of(system)
    config = system.config.surprise
    for number in range(seed + len(rows), seed + episodes):
        rows.append(bench.row(number))
        if path is not None:
            write_json(path, result_of(rows, settings, config))
    return result_of(rows[:episodes], settings, config)


def result_of(
    rows: Sequence[dict[str, Any]], settings: Mapping[str, Any], config: SurpriseConfig
) -> dict[str, Any]:
    """What episodes say: which would be stopped, and in which something would be warned of."""
    clean = [row['clean'] for row in rows]
    looks = [[look] for looks in clean for look in looks]
    names = sorted({name for row in rows for name in row['moments']})
    return {
        'episodes': len(rows), 'bounds': asdict(config),
        'false_alarms': _stopped(clean, config), 'looks_stopped': _stopped(looks, config),
        'episodes_warned': _warned(clean, config), 'looks_warned': _warned(looks, config),
        'clean_quantiles': {name: _quantiles(looks, name) for name in (SURPRISE, PART)},
        'faults': {name: _fault(rows, name, config) for name in names},
        'settings': dict(settings), 'rows': list(rows),
    }  # fmt: skip


def _stopped(series: Sequence[Sequence[Look]], config: SurpriseConfig) -> dict[str, Any]:
    """How many series of looks have one that surprises as a whole."""
    bound = config.max_surprise
    found = sum(any(look[SURPRISE] > bound for look in looks) for looks in series)
    return share(found, len(series))


def _warned(series: Sequence[Sequence[Look]], config: SurpriseConfig) -> dict[str, Any]:
    """How many have one that surprises as a whole or in a part."""
    bounds = {SURPRISE: config.max_surprise, PART: config.max_part_surprise}
    found = sum(
        any(look[name] > bound for look in looks for name, bound in bounds.items())
        for looks in series
    )
    return share(found, len(series))


def _quantiles(looks: Sequence[Sequence[Look]], name: str) -> list[float]:
    """Median, 99 % and most."""
    values = [look[name] for series in looks for look in series]
    return [float(value) for value in np.quantile(values, [0.5, 0.99, 1.0])] if values else []


def _fault(rows: Sequence[dict[str, Any]], name: str, config: SurpriseConfig) -> dict[str, Any]:
    moments = {row['seed']: row['moments'][name] for row in rows if name in row['moments']}
    tries = [moment['faulty'] for moment in moments.values() if moment['faulty']]
    return {
        'stopped': _stopped(tries, config),
        'stopped_at_once': _stopped([looks[:1] for looks in tries], config),
        'warned': _warned(tries, config),
        'auroc': {score: _area(moments, score) for score in SPANS},
    }  # fmt: skip


def _area(moments: Mapping[int, dict[str, Any]], score: str) -> list[float]:
    """Area under a curve of the first looks, and its interval over episodes."""
    curve = Separation(*SPANS[score])
    for seed, moment in moments.items():
        looks = moment['clean'], *moment['faulty'][:1]
        for look, positive in zip(looks, (False, True), strict=False):
            if score in look:
                curve.add(seed, np.array([look[score]]), positive=positive)
    area = curve.area()
    return [area.value, area.low, area.high]
