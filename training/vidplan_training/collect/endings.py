# SPDX-License-Identifier: Apache-2.0
"""Records how grasps and releases end: taken, missed, held over the bowl, dropped in it or beside.

What a success detector learns from: all that looks nearly like a success, and is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidplan_core.language.instruction import PICK, PLACE
from vidplan_sim.cell import Cell
from vidplan_sim.expert.decision import Decision, PickPlaceTask
from vidplan_sim.expert.looking import lying_heights, view_of
from vidplan_sim.expert.rule import TRAVEL_M, done, go
from vidplan_sim.scene import random_scene
from vidplan_training.collect.contact.approach import aside, come_near
from vidplan_training.collect.contact.episode import KIND_NAMES, Row, near_start, record_row
from vidplan_training.collect.contact.inside import kept_inside
from vidplan_training.collect.motion import PERIOD_S, Motion
from vidplan_training.collect.scene_files import SceneFiles

VERBS = (PICK, PLACE)
UNKNOWN = -1
# How far beside a thing the fingers close, m, in how many of the episodes.
SHARE_MISSED, MISSED_M = 0.3, 0.05
# Where it is let go: near the middle of the bowl, or anywhere around it, so high.
SHARE_NEAR, NEAR_M, AROUND_M, HEIGHTS_M = 0.45, 0.025, 0.16, (0.09, 0.20)
CARRYING = 4  # decisions, at most
AFTER = ('stay', 'up', 'away')
# Frames of 0.2 s of closing and of lifting that are looked at, after the one of the start.
CLOSING_LOOKS, LIFTING_LOOKS = (0, 2, 3), (0, 1, 2, 3)
# The look at which a grasp has ended; a release ends with the last.
GRASPED = len(CLOSING_LOOKS) + len(LIFTING_LOOKS)


@dataclass(frozen=True)
class Course:
    """What an episode does.

    Attributes:
        kind: of the thing.
        grasp: where the fingers close beside it, (3,) m.
        release: where it is let go beside the bowl's middle, (3,) m; the height is the tool's.
        after: one of `AFTER`.
    """

    kind: str
    grasp: np.ndarray
    release: np.ndarray
    after: str


def draw_course(rng: np.random.Generator, kind: str) -> Course:
    """Any course with a thing."""
    missed = MISSED_M * rng.random() if rng.random() < SHARE_MISSED else 0.0
    near = rng.random() < SHARE_NEAR
    radius = abs(rng.normal(scale=NEAR_M)) if near else rng.uniform(0.0, AROUND_M)
    grasp, release = (aside(rng.uniform(-np.pi, np.pi), length) for length in (missed, radius))
    release[2] = rng.uniform(*HEIGHTS_M)
    return Course(kind, grasp, release, AFTER[rng.integers(len(AFTER))])


class EndingRecorder:
    """Grasps a thing, carries it to the bowl and lets it go, in one scene after the other."""

    def __init__(self) -> None:
        self.cell = Cell()
        self._rows: list[Row] = []

    def record(self, seed: int) -> dict[str, np.ndarray] | None:
        """Arrays (frames, ...), as `record_row` names them, with `successes` and `thing`.

        None where the hand never came near the thing.
        """
        rng = np.random.default_rng([seed, 47])
        scene = random_scene(seed)
        if not scene.objects:
            return None
        thing = scene.objects[rng.integers(len(scene.objects))]
        self.cell.reset(near_start(scene, thing, rng))
        self._lying, self._motion = lying_heights(self.cell), Motion(self.cell)
        course = draw_course(rng, thing.kind)
        self._rows.clear()
        self._look()
        if come_near(self.cell, self._motion, thing.kind, course.grasp, self._lying) is None:
            return None
        self._take()
        self._carry(course)
        self._let_go(course, rng)
        found = {name: np.stack([row[name] for row in self._rows]) for name in self._rows[0]}
        return found | {'thing': np.array(KIND_NAMES.index(thing.kind))}

    def _take(self) -> None:
        self._do(np.zeros(3), 1.0, frames=4, looks=CLOSING_LOOKS)
        self._do(np.array([0.0, 0.0, 0.14]), 1.0, frames=4, looks=LIFTING_LOOKS)

    def _carry(self, course: Course) -> None:
        """Over to where it is let go, high, then down."""
        goal = self._bowl() + course.release
        high = np.append(goal[:2], TRAVEL_M)
        for _ in range(CARRYING):
            way = high - self.cell.tcp
            if float(np.hypot(way[0], way[1])) < 0.01:
                break
            self._go(course.kind, high, looks=(1,))
        self._go(course.kind, np.append(goal[:2], course.release[2]), looks=(1,))

    def _let_go(self, course: Course, rng: np.random.Generator) -> None:
        self._do(np.zeros(3), 0.0, frames=4, looks=(0, 1, 2, 3))
        away = aside(rng.uniform(-np.pi, np.pi), 0.12)
        moves = {'stay': np.zeros(3), 'up': np.array([0.0, 0.0, 0.1]),
                 'away': away + [0.0, 0.0, 0.08]}  # fmt: skip
        self._do(moves[course.after], 0.0, frames=5, looks=(0, 1, 2, 4), kind=course.kind)

    def _bowl(self) -> np.ndarray:
        return np.append(self.cell.truth()['bowl'][:2], 0.0)

    def _go(self, kind: str, goal: np.ndarray, looks: tuple[int, ...]) -> None:
        view = view_of(self.cell, kind, self._lying)
        self._run(kept_inside(view, go(view, goal, 1.0, turn=False)), 2, looks)

    def _do(
        self, move: np.ndarray, closedness: float, frames: int, looks: tuple[int, ...],
        kind: str = '',
    ) -> None:  # fmt: skip
        decision = Decision(move, 0.0, closedness)
        if kind:
            decision = kept_inside(view_of(self.cell, kind, self._lying), decision)
        self._run(decision, frames, looks)

    def _run(self, decision: Decision, frames: int, looks: tuple[int, ...]) -> None:
        self._motion.start(decision)
        for frame in range(frames):
            self.cell.step(PERIOD_S)
            if frame in looks:
                self._look()

    def _look(self) -> None:
        self._rows.append(self._row())

    def _row(self) -> Row:
        found = np.full((len(VERBS), len(KIND_NAMES)), UNKNOWN, np.int8)
        for kind in self._lying:
            if kind != 'bowl':
                view = view_of(self.cell, kind, self._lying)
                found[:, KIND_NAMES.index(kind)] = [
                    done(view, PickPlaceTask(verb, kind)) for verb in VERBS
                ]
        return record_row(self.cell, list(KIND_NAMES)) | {'successes': found}


def ending_files(folder: Path) -> SceneFiles:
    """The recorded endings of a folder."""
    return SceneFiles(folder, 'ending', EndingRecorder)
