# SPDX-License-Identifier: Apache-2.0
"""What the arm does while data are collected: wandering, visits, pushes, attempts to pick.

A behaviour decides every 0.4 s on a displacement for the next 0.8 s; the motion is replaced
halfway, as the planner's is, so that the model learns motions in full swing as well as starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from vidplan_sim.expert.decision import Decision

REACH_M = 0.14
BOX_LOW = np.array([0.34, -0.24, 0.015])
BOX_HIGH = np.array([0.66, 0.24, 0.30])


class Behaviour(Protocol):
    """Chooses the next motion from the tool's place and the (known) places of objects.

    aim: kind of object that it goes for at the moment, '' while for none.
    """

    aim: str

    def __call__(
        self, rng: np.random.Generator, tcp: np.ndarray, objects: Mapping[str, np.ndarray]
    ) -> Decision:
        """Decide from the tool (3,) and object centres (3,) in the base frame, m."""
        ...


def keep_inside(tcp: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """The displacement, shortened so that the tool stays inside the collection box."""
    return np.clip(tcp + displacement, BOX_LOW, BOX_HIGH) - tcp


def _towards(tcp: np.ndarray, goal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A displacement of at most REACH_M towards a goal, now and then disturbed."""
    move = goal - tcp
    move *= min(1.0, REACH_M / max(float(np.linalg.norm(move)), 1e-6))
    if rng.random() < 0.12:
        move = move + rng.normal(scale=0.03, size=3)
    return keep_inside(tcp, move)


class Wander:
    """Random directions, half of them along an axis, with rests, turns and gripper toggles."""

    aim = ''

    def __init__(self) -> None:
        self._closedness = 0.0

    def __call__(
        self, rng: np.random.Generator, tcp: np.ndarray, objects: Mapping[str, np.ndarray]
    ) -> Decision:
        """See `Behaviour`."""
        if rng.random() < 0.08:
            self._closedness = float(rng.random() < 0.5)
        direction = rng.normal(size=3)
        if rng.random() < 0.6:
            direction = np.eye(3)[rng.integers(3)] * rng.choice([-1.0, 1.0])
        length = 0.0 if rng.random() < 0.08 else rng.uniform(0.03, REACH_M)
        turn = rng.normal(scale=0.35) if rng.random() < 0.2 else 0.0
        move = length * direction / np.linalg.norm(direction)
        return Decision(keep_inside(tcp, move), turn, self._closedness)


class Visit:
    """Go to one object after the other, above or beside it, as a planner on its way does."""

    def __init__(self) -> None:
        self.aim = ''
        self._goal: np.ndarray | None = None

    def __call__(
        self, rng: np.random.Generator, tcp: np.ndarray, objects: Mapping[str, np.ndarray]
    ) -> Decision:
        """See `Behaviour`."""
        if self._goal is None or float(np.linalg.norm(tcp - self._goal)) < 0.02:
            self.aim, place = list(objects.items())[rng.integers(len(objects))]
            height = rng.uniform(0.05, 0.16)
            self._goal = np.append(place[:2] + rng.normal(scale=0.02, size=2), height)
        return Decision(_towards(tcp, self._goal, rng), 0.0, 0.0)


class Push:
    """Go down beside an object and sweep through it, with closed fingers."""

    aim = ''  # it wants the object elsewhere

    def __init__(self, kind: str, rng: np.random.Generator) -> None:
        angle = rng.uniform(-np.pi, np.pi)
        self._kind = kind
        self._direction = np.array([np.cos(angle), np.sin(angle)])
        self._phase = 'over'
        self._end: np.ndarray | None = None

    def __call__(
        self, rng: np.random.Generator, tcp: np.ndarray, objects: Mapping[str, np.ndarray]
    ) -> Decision:
        """See `Behaviour`."""
        goal = self._goal(objects[self._kind])
        if float(np.linalg.norm(tcp - goal)) < 0.025:
            self._phase = {'over': 'down', 'down': 'sweep', 'sweep': 'over'}[self._phase]
            self._end = None
            if self._phase == 'over':
                self._direction = -self._direction
            goal = self._goal(objects[self._kind])
        return Decision(_towards(tcp, goal, rng), 0.0, 1.0)

    def _goal(self, place: np.ndarray) -> np.ndarray:
        height = float(np.clip(place[2], 0.02, 0.06))
        start = place[:2] - 0.075 * self._direction
        if self._phase == 'over':
            return np.append(start, 0.13)
        if self._phase == 'down':
            return np.append(start, height)
        if self._end is None:  # fixed when the sweep begins: the object moves with it
            self._end = np.append(place[:2] + 0.07 * self._direction, height)
        return self._end


class Pick:
    """Go over an object, descend, close, lift, carry to the bowl, open; not always exactly."""

    def __init__(self, kind: str, rng: np.random.Generator) -> None:
        self.aim = kind
        self._offset = np.append(rng.normal(scale=0.012, size=2), 0.0)
        self._phase = 'approach'
        self._wait = 0

    def __call__(
        self, rng: np.random.Generator, tcp: np.ndarray, objects: Mapping[str, np.ndarray]
    ) -> Decision:
        """See `Behaviour`."""
        goal = self._goal(objects)
        self._advance(tcp, goal)
        closed = float(self._phase in ('close', 'lift', 'carry'))
        return Decision(_towards(tcp, self._goal(objects), rng), 0.0, closed)

    def _goal(self, objects: Mapping[str, np.ndarray]) -> np.ndarray:
        over = objects[self.aim] + self._offset
        if self._phase == 'approach':
            return np.append(over[:2], max(over[2], 0.0) + 0.10)
        if self._phase in ('descend', 'close'):
            return np.append(over[:2], max(over[2], 0.02))
        if self._phase == 'lift':
            return np.append(over[:2], 0.22)
        return np.append(objects['bowl'][:2], 0.20)

    def _advance(self, tcp: np.ndarray, goal: np.ndarray) -> None:
        near = float(np.linalg.norm(tcp - goal)) < 0.02
        following = {'approach': 'descend', 'descend': 'close', 'lift': 'carry', 'carry': 'open'}
        if self._phase == 'close':
            self._wait += 1
            if self._wait >= 2:
                self._phase = 'lift'
        elif near and self._phase in following:
            self._phase = following[self._phase]


def choose(rng: np.random.Generator, kinds: list[str]) -> Behaviour:
    """A random behaviour for an episode with the given kinds of objects in the scene."""
    movable = [kind for kind in kinds if kind != 'bowl']
    draw = rng.random()
    if draw < 0.3 or not movable:
        return Wander()
    if draw < 0.45:
        return Visit()
    kind = movable[rng.integers(len(movable))]
    return Push(kind, rng) if draw < 0.6 else Pick(kind, rng)
