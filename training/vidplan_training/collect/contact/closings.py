# SPDX-License-Identifier: Apache-2.0
"""Closings 0 to 5 cm beside a thing, each followed by a lift: what comes along."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vidplan_sim.cell import Cell, CellState
from vidplan_sim.expert.decision import Decision
from vidplan_sim.expert.looking import lying_heights, touch
from vidplan_sim.expert.rule import LIFTED_M
from vidplan_sim.scene import random_scene
from vidplan_training.collect.contact.approach import aside, come_near
from vidplan_training.collect.contact.episode import near_start, pictures
from vidplan_training.collect.motion import FRAMES, PERIOD_S, Motion

FARTHEST_M = 0.05
LIFT_M = 0.12


@dataclass(frozen=True)
class Seen:
    """What is seen and measured at one frame."""

    images: np.ndarray
    q: np.ndarray
    closedness: float

    @staticmethod
    def of(cell: Cell) -> Seen:
        """The present frame."""
        return Seen(pictures(cell), cell.q, cell.closedness)


@dataclass(frozen=True)
class ClosingCase:
    """One closing from a moment on, and what it came to.

    past: the two frames before the fingers close, the present last.
    measured: closedness (8,) of the new frames of closing and lifting.
    after: pictures after the lift.
    """

    seed: int
    kind: str
    off_m: float
    past: tuple[Seen, Seen]
    measured: np.ndarray
    lifted: bool
    after: np.ndarray


def closing_cases(seed: int, count: int) -> Iterator[ClosingCase]:
    """`count` closings, one per scene from `seed` on; the kinds in turn."""
    cell, found, scene_seed = Cell(), 0, seed
    while found < count:
        case = _case(cell, scene_seed)
        scene_seed += 1
        if case is not None:
            found += 1
            yield case
    cell.close()


def _case(cell: Cell, seed: int) -> ClosingCase | None:
    rng = np.random.default_rng([seed, 51])
    scene = random_scene(seed)
    thing = scene.objects[rng.integers(len(scene.objects))]
    cell.reset(near_start(scene, thing, rng))
    lying, motion = lying_heights(cell), Motion(cell)
    angle, radius = rng.uniform(-np.pi, np.pi), FARTHEST_M * np.sqrt(rng.uniform())
    before = come_near(cell, motion, thing.kind, aside(angle, radius), lying)
    if before is None:
        return None
    return _carry_out(cell, motion, before, seed, thing.kind, radius, lying)


def _carry_out(
    cell: Cell, motion: Motion, before: CellState, seed: int, kind: str, off_m: float,
    lying: dict[str, float],
) -> ClosingCase:  # fmt: skip
    now = cell.save()
    cell.restore(before)
    earlier = Seen.of(cell)
    cell.restore(now)
    past = (earlier, Seen.of(cell))
    measured = []
    for decision in (Decision(np.zeros(3), 0.0, 1.0),
                     Decision(np.array([0.0, 0.0, LIFT_M]), 0.0, 1.0)):  # fmt: skip
        motion.start(decision)
        for _ in range(FRAMES - 1):
            cell.step(PERIOD_S)
            measured.append(cell.closedness)
    raised = float(cell.truth()[kind][2]) > lying[kind] + LIFTED_M
    lifted = raised and touch(cell).held == kind
    return ClosingCase(seed, kind, off_m, past, np.array(measured), lifted, pictures(cell))
