# SPDX-License-Identifier: Apache-2.0
"""From a thing in the hand to the bowl: carried past it, back, down, and let go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vidplan_core.language.instruction import PLACE
from vidplan_sim.expert.decision import Decision, PickPlaceTask
from vidplan_sim.expert.looking import view_of
from vidplan_sim.expert.rule import DECISION_FRAMES, PHASES, decide, go
from vidplan_sim.scene import random_scene
from vidplan_training.collect.contact.approach import come_near
from vidplan_training.collect.contact.episode import ContactRecorder, Log, near_start
from vidplan_training.collect.contact.flaws import FLAWS
from vidplan_training.collect.contact.inside import kept_inside
from vidplan_training.collect.motion import PERIOD_S

PLACING_FRAMES = 20
STILL = Decision(np.zeros(3), 0.0, 1.0)
# Where a way begins beside the bowl's centre, m: at most so far, and so high.
BESIDE_BOWL_M, HEIGHTS_M = 0.30, (0.15, 0.22)
# How far off the decisions of a way are, m, standard deviation, one of these; the end is exact.
NOISES_M = (0.0, 0.02, 0.04)
NOISY = ('lift', 'carry', 'lower')


class PlacingRecorder(ContactRecorder):
    """Grasps something unseen, then records the way to the bowl from anywhere beside it."""

    def record_placing(self, seed: int, frames: int) -> dict[str, np.ndarray] | None:
        """One way as arrays (frames, ...), named as those of attempts; None without a grasp."""
        rng = np.random.default_rng([seed, 46])
        scene = random_scene(seed)
        thing = scene.objects[rng.integers(len(scene.objects))]
        self._reset(near_start(scene, thing, rng))
        if not self._grasp(thing.kind) or not self._begin(thing.kind, rng):
            return None
        log, noise = Log(), float(rng.choice(NOISES_M))
        for frame in range(frames):
            sent = None
            if frame % DECISION_FRAMES == 0:
                view = view_of(self.cell, thing.kind, self._lying)
                decision, phase = decide(view, PickPlaceTask(PLACE, thing.kind))
                if phase in NOISY:
                    aside = decision.displacement + rng.normal(scale=noise, size=3)
                    decision = replace(decision, displacement=aside)
                sent = kept_inside(view, decision)
            flaw = FLAWS.index('noised' if noise else 'none')
            self._frame(log, thing.kind, PLACE, PHASES.index(phase), flaw, sent)
        return log.stacked() | {'to_go': self._to_go(log)}

    def _grasp(self, kind: str) -> bool:
        nowhere = np.zeros(3)
        if come_near(self.cell, self._motion, kind, nowhere, self._lying) is None:
            return False
        for decision in (STILL, replace(STILL, displacement=np.array([0.0, 0.0, 0.14]))):
            self._motion.start(decision)
            self.cell.step(4 * PERIOD_S)
        return view_of(self.cell, kind, self._lying).held

    def _begin(self, kind: str, rng: np.random.Generator) -> bool:
        """Go to where the way begins; whether the hand still holds the thing there."""
        angle, radius = rng.uniform(-np.pi, np.pi), rng.uniform(0.0, BESIDE_BOWL_M)
        beside = radius * np.array([np.cos(angle), np.sin(angle)])
        bowl = view_of(self.cell, kind, self._lying).bowl
        goal = np.append(bowl[:2] + beside, rng.uniform(*HEIGHTS_M))
        for _ in range(3):
            view = view_of(self.cell, kind, self._lying)
            self._motion.start(kept_inside(view, go(view, goal, 1.0, turn=False)))
            self.cell.step(2 * PERIOD_S)
        return view_of(self.cell, kind, self._lying).held
