# SPDX-License-Identifier: Apache-2.0
"""Records an episode of attempts: pictures, poses, what was commanded, held and done, at 5 Hz."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from vidplan_core.language.instruction import PICK, PLACE
from vidplan_sim.arm.kinematics import (
    Q_READY,
    UnreachablePose,
    down_rotation,
    solve_ik,
    tcp_to_flange,
)
from vidplan_sim.cell import Cell
from vidplan_sim.expert.decision import VERBS, Decision
from vidplan_sim.expert.looking import lying_heights, touch, view_of
from vidplan_sim.expert.remaining import frames_to_go
from vidplan_sim.expert.rule import DECISION_FRAMES, PHASES, PickPlaceTask, View, decide
from vidplan_sim.objects.everyday import KINDS
from vidplan_sim.scene import ObjectPlacement, Scene, random_scene
from vidplan_training.collect.behaviours import Behaviour, choose
from vidplan_training.collect.contact.approach import aside, come_near
from vidplan_training.collect.contact.attempts import Playing
from vidplan_training.collect.contact.flaws import FARTHEST_M, FLAWS, draw_attempt
from vidplan_training.collect.contact.inside import kept_inside
from vidplan_training.collect.motion import PERIOD_S, Motion

HEIGHT, WIDTH = 96, 160
CLOSING_FRAMES = 10
NONE = -1
UNKNOWN = np.full(5, np.nan, np.float32)
SHARE_OF_OTHERS = 0.10  # episodes of the older behaviours
SHARE_EMPTY, SHARE_NEAR = 0.03, 0.65
# What is known of one frame, by name.
Row = dict[str, Any]
KIND_NAMES = (*(kind.name for kind in KINDS), 'bowl')


def contact_scene(seed: int) -> Scene:
    """A scene with 0 to 6 objects; in most the arm starts near one of them."""
    rng = np.random.default_rng([seed, 41])
    scene = random_scene(seed)
    if rng.random() < SHARE_EMPTY:
        return replace(scene, objects=())
    if rng.random() > SHARE_NEAR:
        return scene
    return near_start(scene, scene.objects[rng.integers(len(scene.objects))], rng)


def near_start(scene: Scene, thing: ObjectPlacement, rng: np.random.Generator) -> Scene:
    """The scene with the arm starting near one of its objects, where it can."""
    above = np.array([thing.x, thing.y, rng.uniform(0.12, 0.19)])
    rotation = down_rotation(float(rng.uniform(-1.0, 1.0)))
    tcp = above + np.append(rng.normal(scale=0.03, size=2), 0.0)
    try:
        q = solve_ik(tcp_to_flange(tcp, rotation), rotation, Q_READY)
    except UnreachablePose:
        return scene
    return replace(scene, q_start=tuple(float(angle) for angle in q))


@dataclass
class Log:
    """Rows of an episode, and the moments behind them."""

    rows: list[Row] = field(default_factory=list)
    views: list[dict[str, View]] = field(default_factory=list)

    def stacked(self) -> dict[str, np.ndarray]:
        """Arrays (frames, ...)."""
        return {name: np.stack([row[name] for row in self.rows]) for name in self.rows[0]}


class ContactRecorder:
    """Runs attempts, or an older behaviour, in one scene after the other."""

    def __init__(self) -> None:
        self.cell = Cell()
        self.kinds = list(KIND_NAMES)

    def record(self, seed: int, frames: int) -> dict[str, np.ndarray]:
        """One episode as arrays (frames, ...), named as in `record_row` and `_look`."""
        rng, log = np.random.default_rng([seed, 42]), Log()
        self._reset(contact_scene(seed))
        movable = [kind for kind in self._lying if kind != 'bowl']
        if not movable or rng.random() < SHARE_OF_OTHERS:
            self._behave(rng, choose(rng, list(self._lying)), frames, log)
        else:
            self._attempt(rng, movable, frames, log)
        return log.stacked() | {'to_go': self._to_go(log)}

    def record_free(self, seed: int, frames: int) -> dict[str, np.ndarray]:
        """One episode of free motion with some picks, with the arrays of `record`."""
        rng, log = np.random.default_rng([seed, 7]), Log()
        self._reset(random_scene(seed))
        self._behave(rng, choose(rng, list(self._lying)), frames, log)
        return log.stacked() | {'to_go': self._to_go(log)}

    def record_closing(self, seed: int, number: int) -> dict[str, np.ndarray] | None:
        """Closing beside an object, up to 5 cm off, and the lift after it: CLOSING_FRAMES frames.

        One of several of a scene, by number. The first two frames are before the fingers close.
        None where the hand never got there.
        """
        rng = np.random.default_rng([seed, 44, number])
        scene = random_scene(seed)
        thing = scene.objects[rng.integers(len(scene.objects))]
        self._reset(near_start(scene, thing, rng))
        offset = aside(rng.uniform(-np.pi, np.pi), rng.uniform(0.0, FARTHEST_M))
        before = come_near(self.cell, self._motion, thing.kind, offset, self._lying)
        if before is None:
            return None
        log, now = Log(), self.cell.save()
        self.cell.restore(before)
        flaw = FLAWS.index('offset')
        self._look(log, thing.kind, PLACE, PHASES.index('descend'), flaw)
        self.cell.restore(now)
        for frame in range(CLOSING_FRAMES - 1):
            phase = 'close' if frame < 2 * DECISION_FRAMES else 'lift'
            decision = None
            if frame % DECISION_FRAMES == 0:
                view = view_of(self.cell, thing.kind, self._lying)
                rise = 0.12 if phase == 'lift' else 0.0
                decision = kept_inside(view, Decision(np.array([0.0, 0.0, rise]), 0.0, 1.0))
            self._frame(log, thing.kind, PLACE, PHASES.index(phase), flaw, decision)
        return log.stacked() | {'to_go': self._to_go(log)}

    def _reset(self, scene: Scene) -> None:
        """Begin an episode: the scene, how its objects lie, and an arm that was sent nowhere."""
        self.cell.reset(scene)
        self._lying = lying_heights(self.cell)
        self._motion = Motion(self.cell)

    def _behave(
        self, rng: np.random.Generator, behaviour: Behaviour, frames: int, log: Log
    ) -> None:
        for frame in range(frames):
            decision = None
            if frame % DECISION_FRAMES == 0:
                decision = behaviour(rng, self._motion.tcp, self.cell.truth())
            aim = behaviour.aim if behaviour.aim != 'bowl' else ''
            self._frame(log, aim, PLACE, NONE, NONE, decision)

    def _attempt(
        self, rng: np.random.Generator, movable: list[str], frames: int, log: Log
    ) -> None:
        playing = self._next(rng, movable, '')
        for frame in range(frames):
            decision = None
            if frame % DECISION_FRAMES == 0:
                if playing.over:
                    playing = self._next(rng, movable, playing.attempt.aim)
                view = view_of(self.cell, playing.attempt.aim, self._lying)
                decision = kept_inside(view, playing.decide(view, rng))
            phase = PHASES.index(playing.phase)
            flaw = FLAWS.index(playing.attempt.flaw)
            self._frame(log, playing.target, playing.verb, phase, flaw, decision)

    def _next(self, rng: np.random.Generator, movable: list[str], before: str) -> Playing:
        again = before in movable and rng.random() < 0.4
        truth = self.cell.truth()
        free = [kind for kind in movable if truth[kind][2] > -0.05] or movable
        target = before if again else free[rng.integers(len(free))]
        attempt = draw_attempt(rng, target, movable)
        verb = PLACE if attempt.after == 'place' else PICK
        return Playing(attempt, target, verb)

    def _frame(
        self, log: Log, target: str, verb: str, phase: int, flaw: int, decision: Decision | None
    ) -> None:
        """One frame: ask the expert, then send a decision, which is another's, look and go on."""
        asked = self._ask(target)
        if decision is not None:
            self._motion.start(decision)
        self._look(log, target, verb, phase, flaw, asked)
        self.cell.step(PERIOD_S)

    def _ask(self, target: str) -> np.ndarray:
        """What the expert would do now; unknown without a target."""
        if not target:
            return UNKNOWN
        return expert_decision(view_of(self.cell, target, self._lying))

    def _look(
        self, log: Log, target: str, verb: str, phase: int, flaw: int,
        asked: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        seen = {
            kind: view_of(self.cell, kind, self._lying)
            for kind in self._asked_of(target, len(log.rows))
        }
        log.views.append(seen)
        log.rows.append(
            record_row(self.cell, self.kinds)
            | {
                'aim': np.int16(self.kinds.index(target) if target else NONE),
                'target': np.int16(self.kinds.index(target) if target else NONE),
                'verb': np.int8(VERBS.index(verb)),
                'phase': np.int8(phase),
                'flaw': np.int8(flaw),
                'expert': self._ask(target) if asked is None else asked,
            }
        )

    def _asked_of(self, target: str, frame: int) -> list[str]:
        """Kinds whose frames to go are told at a frame: the target, and the others in turn."""
        movable = [kind for kind in self._lying if kind != 'bowl']
        if not movable:
            return []
        other = movable[frame % len(movable)]
        return list(dict.fromkeys([target or other, other]))

    def _to_go(self, log: Log) -> np.ndarray:
        """Frames to go (frames, verbs, kinds); NaN where nobody asked."""
        found = np.full((len(log.rows), len(VERBS), len(self.kinds)), np.nan, np.float32)
        held = [int(row['held']) for row in log.rows]
        for frame, seen in enumerate(log.views):
            for kind, view in seen.items():
                number = self.kinds.index(kind)
                later = _resolved(log, frame)
                if view.closing and later is None:
                    continue  # nobody saw what it came to
                holds = None if later is None else held[later] == number
                found[frame, :, number] = frames_to_go(view, kind, holds)
        return found


def expert_decision(view: View) -> np.ndarray:
    """What the expert would do now to place the target, (5,): displacement, turn, closedness."""
    decision, _ = decide(view, PickPlaceTask(PLACE, ''))
    move = kept_inside(view, decision).displacement
    return np.array([*move, decision.turn_rad, decision.closedness], np.float32)


def _resolved(log: Log, frame: int) -> int | None:
    """The frame at which a closing that is under way is over."""
    for later in range(frame, len(log.rows)):
        if log.rows[later]['commanded'] >= 0.999:
            return later
    return None


def record_row(cell: Cell, kinds: list[str], *, seen: bool = True) -> Row:
    """What is seen (if asked for), measured, commanded and true at this moment."""
    position, quaternion = cell.flange_pose()
    goal, set_point = cell.gripper_command
    truth, felt, nowhere = cell.truth(), touch(cell), np.full(3, np.nan)
    images = {'images': pictures(cell)} if seen else {}
    return images | {
        'position': position.astype(np.float32),
        'quaternion': quaternion.astype(np.float32),
        'closedness': np.float32(cell.closedness),
        'commanded': np.float32(set_point),
        'goal': np.float32(goal),
        'q': cell.q.astype(np.float32),
        'objects': np.stack([truth.get(k, nowhere) for k in kinds]).astype(np.float32),
        'held': np.int8(kinds.index(felt.held) if felt.held else NONE),
        'contact': np.bool_(felt.contact),
    }


def pictures(cell: Cell) -> np.ndarray:
    """All views (views, height, width, 3) uint8, rendered large and made smaller."""
    size = (WIDTH, HEIGHT)
    views = cell.render().values()
    return np.stack([cv2.resize(view, size, interpolation=cv2.INTER_AREA) for view in views])
