# SPDX-License-Identifier: Apache-2.0
"""What a planner would look at while a rule handles things, and what accidents would show it."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.history import History
from vidplan_core.data.observation import Observation
from vidplan_eval.suites.judging.rule import rule_chunk
from vidplan_eval.world import World
from vidplan_sim.cell import Cell
from vidplan_sim.expert.decision import PLACE, PickPlaceTask
from vidplan_sim.expert.looking import lying_heights, touch, view_of
from vidplan_sim.expert.rule import DECISION_FRAMES, decide
from vidplan_sim.scene import random_scene

LONGEST_S = 12.0
# How far a thing that somebody moves by hand is put aside, m, and how high one is held that slips.
_ASIDE_M, _HELD_M = 0.08, 0.05
# Where things are that somebody takes away, m.
_AWAY = np.array([-4.0, 0.0, 1.0])

Place = NDArray[np.float64]
# What an accident does to a cell and the thing that is handled there, of this name.
Happen = Callable[[Cell, str], None]


@dataclass(frozen=True, eq=False)
class WatchedCycle:
    """One cycle as a planner would see it.

    Attributes:
        history: looks at the world model's frames, oldest first, the present last.
        committed: what the arm does until the next cycle.
        after: the next cycle after an accident right now, by its name, for some accidents.
    """

    history: list[Observation]
    committed: CommittedMotion
    after: Mapping[str, WatchedCycle] = field(default_factory=dict)


def watch_cycles(world: World, past: History, branches: Cell, seed: int) -> Iterator[WatchedCycle]:
    """Look on while the expert's rule puts something into the bowl, a decision a cycle.

    Accidents happen in a cell of their own, `branches`. The last cycle with an accident of a name
    is equally likely any of those in which it could happen.
    """
    world.reset(random_scene(seed))
    past.clear()
    kind = next(placed.kind for placed in world.cell.scene.objects if placed.kind != 'bowl')
    task, lying = PickPlaceTask(PLACE, kind), lying_heights(world.cell)
    accidents = Accidents(branches, kind, lying[kind], np.random.default_rng([seed, 2]))
    _pass(world, past, DECISION_FRAMES)
    while world.now_s < LONGEST_S:
        decision, phase = decide(view_of(world.cell, kind, lying), task)
        if phase == 'done':
            return
        chunk = rule_chunk(world.committed(), decision, world.period_s)
        world.execute(chunk, world.now_s, world.now_s)
        yield WatchedCycle(past.sample(), world.committed(), accidents.of(world, past))
        _pass(world, past, DECISION_FRAMES)


def _pass(world: World, past: History, frames: int) -> None:
    """Let time pass, and look at every frame."""
    for seen in world.look(frames + 1)[0 if past.newest is None else 1 :]:
        past.push(seen)


class Accidents:
    """Lets accidents happen in branches of an episode."""

    def __init__(
        self, branches: Cell, kind: str, lying_m: float, random: np.random.Generator
    ) -> None:
        """Branch into a cell; `kind` is handled, and lies so high."""
        self._branches, self._kind, self._lying_m = branches, kind, lying_m
        self._random, self._possible = random, Counter[str]()

    def of(self, world: World, past: History) -> dict[str, WatchedCycle]:
        """The next cycle after some of the accidents that can happen now."""
        if touch(world.cell).held != self._kind:
            possible: dict[str, Happen] = {'thing_moved': _aside, 'thing_taken': _away}
        elif world.cell.truth()[self._kind][2] > self._lying_m + _HELD_M:
            possible = {'thing_slips': self._slip}
        else:
            possible = {}
        self._possible.update(possible.keys())
        return {
            name: self._after(world, past, happen)
            for name, happen in possible.items()
            if self._random.random() < 1.0 / self._possible[name]
        }

    def _after(self, world: World, past: History, happen: Happen) -> WatchedCycle:
        branch, past = world.branch(self._branches), copy.copy(past)
        happen(branch.cell, self._kind)
        _pass(branch, past, DECISION_FRAMES)
        return WatchedCycle(past.sample(), branch.committed())

    def _slip(self, cell: Cell, kind: str) -> None:
        """Let it be on the table below the hand."""
        place = cell.truth()[kind]
        cell.put(kind, np.array([place[0], place[1], self._lying_m + 0.01]))


def _aside(cell: Cell, kind: str) -> None:
    """Put it aside, towards the middle of the table."""
    place = cell.truth()[kind]
    cell.put(kind, place - np.array([0.0, np.copysign(_ASIDE_M, place[1]), 0.0]))


def _away(cell: Cell, kind: str) -> None:
    cell.put(kind, _AWAY)
