# SPDX-License-Identifier: Apache-2.0
"""Branch sets: eight chunks from one saved moment of a task, each carried out, with its worth.

Every branch is recorded as an episode of six frames (the one before, the present, four new), so
that whatever reads episodes reads branches too; `BRANCHES` of them in a row share their moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from vidplan_core.language.instruction import PLACE
from vidplan_sim.cell import Cell, CellState
from vidplan_sim.expert.decision import VERBS, Decision, PickPlaceTask
from vidplan_sim.expert.looking import lying_heights, touch, view_of
from vidplan_sim.expert.remaining import MOST_FRAMES, frames_to_go
from vidplan_sim.expert.rule import DECISION_FRAMES, PHASES, View, decide, done
from vidplan_training.collect.contact.approach import aside
from vidplan_training.collect.contact.episode import (
    KIND_NAMES,
    Row,
    contact_scene,
    pictures,
    record_row,
)
from vidplan_training.collect.contact.flaws import FLAWS
from vidplan_training.collect.contact.inside import kept_inside
from vidplan_training.collect.motion import PERIOD_S, Motion

BRANCHES, FRAMES = 8, 6
NEW = FRAMES - 2
LONGEST = 24  # decisions of the way
# How often a decision of the way is branched from: touching is rarer than moving, and more told.
CHOSEN = {'approach': 0.12, 'descend': 0.35, 'close': 0.55, 'lift': 0.35, 'carry': 0.2,
          'lower': 0.6, 'release': 0.7, 'done': 0.0}  # fmt: skip

@dataclass(frozen=True)
class Moment:
    """A decision of a way: where it can be branched from.

    before, now: states one frame apart; rows: what is known of them but their pictures.
    """

    view: View
    phase: str
    target: str
    before: CellState
    now: CellState
    rows: tuple[Row, Row]


class BranchRecorder:
    """Walks an expert's way, not always exactly, and branches from moments of it.

    exact: whether physics says how long the expert still needs after a branch, as evaluations
    want it, or its rule alone, which takes a hundredth of the time and differs by a frame.
    """

    def __init__(self, *, exact: bool = False) -> None:
        self.cell, self._exact = Cell(), exact
        self.kinds = list(KIND_NAMES)
        self._lying: dict[str, float] = {}

    def record(self, seed: int) -> list[dict[str, np.ndarray]]:
        """Branches of the moments of one way, `BRANCHES` in a row per moment."""
        rng = np.random.default_rng([seed, 43])
        found = []
        for moment in self.moments(seed, rng):
            found += self.branch(moment, rng)
        return found

    def moments(self, seed: int, rng: np.random.Generator) -> list[Moment]:
        """Moments of the way of one scene."""
        self.cell.reset(contact_scene(seed))
        self._lying = lying_heights(self.cell)
        movable = [kind for kind in self._lying if kind != 'bowl']
        if not movable:
            return []
        target = movable[rng.integers(len(movable))]
        return [m for m in self._way(target, rng) if rng.random() < CHOSEN[m.phase]]

    def _way(self, target: str, rng: np.random.Generator) -> Iterator[Moment]:
        cell, motion, task = self.cell, Motion(self.cell), PickPlaceTask(PLACE, target)
        offset = np.append(rng.normal(scale=0.006, size=2), 0.0) * (rng.random() < 0.5)
        before, earlier = cell.save(), record_row(cell, self.kinds, seen=False)
        for _ in range(LONGEST):
            view = view_of(cell, target, self._lying)
            if done(view, task):
                return
            decision, phase = decide(view.shifted(offset, 0.0), task)
            now, row = cell.save(), record_row(cell, self.kinds, seen=False)
            yield Moment(view, phase, target, before, now, (earlier, row))
            motion.start(kept_inside(view, _noised(decision, rng, 0.008)))
            cell.step(PERIOD_S)
            before, earlier = cell.save(), record_row(cell, self.kinds, seen=False)
            cell.step(PERIOD_S)

    def branch(self, moment: Moment, rng: np.random.Generator) -> list[dict[str, np.ndarray]]:
        """Carry all candidates out from a moment and come back to it."""
        for state, row in zip((moment.before, moment.now), moment.rows, strict=True):
            self.cell.restore(state)
            row['images'] = pictures(self.cell)
        found = [self._carry_out(moment, d) for d in candidates(moment, self._others(moment), rng)]
        self.cell.restore(moment.now)
        return found

    def _others(self, moment: Moment) -> list[View]:
        others = [kind for kind in self._lying if kind not in ('bowl', moment.target)]
        return [view_of(self.cell, kind, self._lying) for kind in others]

    def _carry_out(self, moment: Moment, decision: Decision) -> dict[str, np.ndarray]:
        cell = self.cell
        cell.restore(moment.now)
        Motion(cell).start(kept_inside(moment.view, decision))
        rows, views = list(moment.rows), [moment.view, moment.view]
        for _ in range(NEW):
            cell.step(PERIOD_S)
            rows.append(record_row(cell, self.kinds))
            views.append(view_of(cell, moment.target, self._lying))
        found = {name: np.stack([row[name] for row in rows]) for name in rows[-1]}
        return found | self._told(moment, views)

    def _told(self, moment: Moment, views: list[View]) -> dict[str, np.ndarray]:
        number = self.kinds.index(moment.target)
        to_go = np.full((FRAMES, len(VERBS), len(self.kinds)), np.nan, np.float32)
        to_go[1, :, number] = frames_to_go(moment.view, moment.target)
        to_go[-1, :, number] = self._needed(moment, views[-1])
        same = {'aim': number, 'target': number, 'verb': VERBS.index(PLACE),
                'phase': PHASES.index(moment.phase), 'flaw': FLAWS.index('none')}  # fmt: skip
        kinds = {'aim': np.int16, 'target': np.int16}
        rows = {k: np.full(FRAMES, v, kinds.get(k, np.int8)) for k, v in same.items()}
        return rows | {'to_go': to_go}

    def _needed(self, moment: Moment, view: View) -> np.ndarray:
        """Frames to go (verbs,) from where a branch ended; the cell is there."""
        if self._exact:
            return np.array([np.nan, np.nan, self._carried_on(moment)])
        held = view.held and self._holds(moment)
        return frames_to_go(replace(view, held=held), moment.target)

    def _carried_on(self, moment: Moment) -> float:
        """Frames until the expert, carrying on in the simulator, has placed the target."""
        motion, task = Motion(self.cell), PickPlaceTask(PLACE, moment.target)
        for frame in range(MOST_FRAMES):
            view = view_of(self.cell, moment.target, self._lying)
            if done(view, task):
                return float(frame)
            if frame % DECISION_FRAMES == 0:
                motion.start(kept_inside(view, decide(view, task)[0]))
            self.cell.step(PERIOD_S)
        return float(MOST_FRAMES)

    def _holds(self, moment: Moment) -> bool:
        """Whether what is held now is still held after a lift."""
        Motion(self.cell).start(Decision(np.array([0.0, 0.0, 0.08]), 0.0, 1.0))
        self.cell.step(NEW * PERIOD_S)
        return touch(self.cell).held == moment.target


def candidates(moment: Moment, others: list[View], rng: np.random.Generator) -> list[Decision]:
    """Eight decisions: the expert's, noised ones, one gone wrong, and motions without a plan."""
    view, task = moment.view, PickPlaceTask(PLACE, moment.target)
    best, _ = decide(view, task)
    toggled = 0.0 if view.goal > 0.5 else 1.0
    angle = rng.uniform(-np.pi, np.pi)
    side = rng.uniform(0.04, 0.10) * np.array([np.cos(angle), np.sin(angle), 0.0])
    upright = np.array([0.0, 0.0, rng.choice((-1.0, 1.0)) * rng.uniform(0.04, 0.10)])
    found = [
        best,
        _noised(best, rng, 0.02),
        _noised(best, rng, 0.04),
        replace(best, closedness=1.0 - best.closedness),
        Decision(np.zeros(3), 0.0, toggled),
        Decision(side, 0.0, view.goal),
        Decision(upright, 0.0, view.goal),
        _astray(view, task, others, rng),
    ]
    assert len(found) == BRANCHES
    return found


def _astray(
    view: View, task: PickPlaceTask, others: list[View], rng: np.random.Generator
) -> Decision:
    """The expert's decision for a place beside the right one, or for another object."""
    if others and rng.random() < 0.4:
        return decide(others[rng.integers(len(others))], task)[0]
    angle, radius = rng.uniform(-np.pi, np.pi), rng.uniform(0.03, 0.05)
    beside = aside(angle, radius)
    moved = replace(view.shifted(beside, 0.0), bowl=view.bowl + 2.5 * beside)
    return decide(moved, task)[0]


def _noised(decision: Decision, rng: np.random.Generator, scale_m: float) -> Decision:
    move = decision.displacement + rng.normal(scale=scale_m, size=3)
    return replace(
        decision, displacement=move, turn_rad=decision.turn_rad + 4 * scale_m * rng.normal()
    )
