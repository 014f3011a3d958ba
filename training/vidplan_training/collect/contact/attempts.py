# SPDX-License-Identifier: Apache-2.0
"""Plays an attempt decision by decision: the expert's rule, bent by what is wrong with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vidplan_core.language.instruction import PICK, PLACE
from vidplan_sim.expert.decision import Decision, PickPlaceTask
from vidplan_sim.expert.rule import View, decide, done
from vidplan_training.collect.contact.flaws import Attempt

LONGEST = 26  # decisions of an attempt
LIFT_DECISIONS = 2
PUSH_M = 0.075
STILL = np.zeros(3)


class Playing:
    """An attempt under way; `over` once nothing more comes of it.

    The task that the frames are labelled with stays the right one, whatever the hand goes for.
    """

    def __init__(self, attempt: Attempt, target: str, verb: str) -> None:
        self.attempt, self.target, self.verb = attempt, target, verb
        self.over, self.phase = False, 'approach'
        self._count, self._closed, self._lifting, self._waited = 0, False, 0, 0
        self._letting_go = False
        self._sweep: np.ndarray | None = None

    def decide(self, view: View, rng: np.random.Generator) -> Decision:
        """The next decision of the hand that sees this."""
        self._count += 1
        special = {'push': self._push, 'hover': self._hover, 'stall': self._stall}
        rule = special.get(self.attempt.flaw, self._grasp)
        decision = rule(view, rng)
        self.over = self.over or self._count >= LONGEST
        noise = rng.normal(scale=self.attempt.noise_m, size=3) if self.attempt.noise_m else STILL
        return replace(decision, displacement=decision.displacement + noise)

    def _grasp(self, view: View, rng: np.random.Generator) -> Decision:
        if self._closed:
            return self._closed_hand(view, rng)
        seen = view.shifted(self.attempt.offset, self.attempt.turn_rad)
        if seen.grasp[2] < 0.012:
            seen = replace(seen, grasp=np.append(seen.grasp[:2], 0.012))
        task = PickPlaceTask(PLACE, self.attempt.aim)
        decision, self.phase = decide(replace(seen, held=False), task)
        if self.phase == 'done':
            self.over = True
        if self.phase == 'close':
            if self.attempt.flaw == 'late' and self._waited < self.attempt.wait:
                self._waited += 1
                return Decision(STILL, 0.0, 0.0)
            self._closed = True
        return decision

    def _closed_hand(self, view: View, rng: np.random.Generator) -> Decision:
        if self._letting_go:
            return self._open(view)
        if view.closing:
            self.phase = 'close'
            return Decision(STILL, 0.0, 1.0)
        if self.attempt.flaw == 'slip' and self._lifting == 1:
            self._lifting += 1
            return Decision(np.array([0.0, 0.0, 0.06]), 0.0, float(rng.uniform(0.0, 0.5)))
        if self._lifting >= LIFT_DECISIONS and not (view.held and self.verb == PLACE):
            return self._put_away(view, rng)
        if self._lifting < LIFT_DECISIONS or self.verb == PICK:
            self._lifting, self.phase = self._lifting + 1, 'lift'
            up = view.tool + [0.0, 0.0, 0.10]
            return Decision(up - view.tool, 0.0, view.goal)
        return self._carry(view, rng)

    def _carry(self, view: View, rng: np.random.Generator) -> Decision:
        bowl = view.bowl
        if self.attempt.flaw == 'beside':
            angle = 2.4 * self.attempt.offset[0] / 0.004
            bowl = bowl + 0.12 * np.array([np.cos(angle), np.sin(angle), 0.0])
        task = PickPlaceTask(PLACE, self.attempt.aim)
        decision, self.phase = decide(replace(view, bowl=bowl), task)
        if self.phase == 'release':
            self._letting_go = True
        return decision

    def _put_away(self, view: View, rng: np.random.Generator) -> Decision:
        """Nothing held, or a pick that is over: let go, high up or near the table."""
        low = self.attempt.after == 'put down' and view.held
        if low and view.tool[2] - (view.target[2] - view.lying_m) > 0.03 and (
            view.target[2] > view.lying_m + 0.012
        ):
            self.phase = 'lower'
            down = max(view.lying_m - view.target[2], -0.12)
            return Decision(np.array([0.0, 0.0, down]), 0.0, 1.0)
        self._letting_go = True
        return self._open(view)

    def _open(self, view: View) -> Decision:
        self.phase = 'release'
        self.over = view.goal < 0.5
        rise = 0.06 if self.over else 0.0
        return Decision(np.array([0.0, 0.0, rise]), 0.0, 0.0)

    def _push(self, view: View, rng: np.random.Generator) -> Decision:
        """Go down beside the target with closed fingers and sweep through it."""
        self.phase = 'approach'
        if self._sweep is None:
            angle = rng.uniform(-np.pi, np.pi)
            self._sweep = np.array([np.cos(angle), np.sin(angle), 0.0])
        start = view.grasp - PUSH_M * self._sweep
        if self._closed:
            self._lifting += 1
            self.over = self._lifting >= 4
            return Decision(0.06 * self._sweep, 0.0, 1.0)
        beside = float(np.linalg.norm((view.tool - start)[:2]))
        goal = start if beside < 0.025 else np.append(start[:2], 0.15)
        self._closed = beside < 0.025 and abs(view.tool[2] - start[2]) < 0.015
        move = goal - view.tool
        return Decision(move * min(1.0, 0.14 / max(float(np.linalg.norm(move)), 1e-6)), 0.0, 1.0)

    def _hover(self, view: View, rng: np.random.Generator) -> Decision:
        self._waited += 1
        self.over = self._waited > self.attempt.wait
        goal = view.grasp + np.append(rng.normal(scale=0.05, size=2), rng.uniform(0.05, 0.12))
        move = goal - view.tool
        return Decision(move * min(1.0, 0.12 / max(float(np.linalg.norm(move)), 1e-6)), 0.0, 0.0)

    def _stall(self, view: View, rng: np.random.Generator) -> Decision:
        """The expert's way, but standing still after some decisions."""
        if self._count <= self.attempt.wait:
            return self._grasp(view, rng)
        self._waited += 1
        if self._waited > 4:
            self.over = True
        return Decision(STILL, 0.0, view.goal)


def fulfilled(view: View, verb: str, target: str) -> bool:
    """Whether a task is done at a moment."""
    return done(view, PickPlaceTask(verb, target))
