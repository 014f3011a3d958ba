# SPDX-License-Identifier: Apache-2.0
"""Episodes that a policy leads, or planning; the expert says what it would do in every moment.

Ross et al. 2011, "A Reduction of Imitation Learning and Structured Prediction to No-Regret Online
Learning" (DAgger): a policy that learns from the expert's way alone never sees its own mistakes.
Nor does a world model that is planned with see where its mistakes lead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from vidplan_core.data.observation import Observation
from vidplan_core.language.instruction import PLACE
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.lockstep import LockStep, Pace
from vidplan_eval.world import World
from vidplan_sim.expert.looking import lying_heights
from vidplan_sim.objects.catalogue import kind_named
from vidplan_sim.scene import random_scene
from vidplan_training.collect.contact.episode import NONE, ContactRecorder, Log

# By what leads, methods and bases: what the policy proposes first, or any of its samples (what is
# led astray is seen, too); or planning on top of either policy.
LEADERS = {
    'policy': tuple(PlannerConfig(method=method) for method in ('policy', 'random_of_n')),
    'planning': tuple(PlannerConfig(base=base) for base in ('words', 'grounded')),
}
# Kinds of the evaluated tasks, which are asked for in this share of the scenes that have them.
ASKED, SHARE_ASKED = ('measuring tape', 'fish', 'pea', 'carrot'), 0.8


class WatchedWorld(World):
    """A world that says when the planner looks."""

    on_look: Callable[[], None]

    def observe(self) -> Observation:
        """Look, and say so."""
        self.on_look()
        return super().observe()


class OnPolicyRecorder(ContactRecorder):
    """Lets one of `LEADERS` follow instructions with the models of a folder, and records it."""

    def __init__(self, models: Path, leader: str = 'policy') -> None:
        super().__init__()
        systems = [PlanningSystem.load(models, config) for config in LEADERS[leader]]
        model = systems[0].world_model.config
        self._world = WatchedWorld(self.cell, model.layout, model.frame_period_s)
        self._pace = Pace(model.history_frames, history_ages=model.history_ages)
        self._systems = systems

    def record(self, seed: int, frames: int) -> dict[str, np.ndarray]:
        """One episode as arrays (frames, ...), named as those of attempts.

        It goes on until as many frames are recorded; the arm may have come to rest before.
        """
        rng, log, world = np.random.default_rng([seed, 45]), Log(), self._world
        world.on_look = lambda: None
        world.reset(random_scene(seed))
        self._lying = lying_heights(self.cell)
        target = self._target(rng)
        world.on_look = lambda: self._look(log, target, PLACE, NONE, NONE)
        system = self._systems[rng.integers(len(self._systems))]
        pace = replace(self._pace, limit_s=(frames + 8) * world.period_s)
        loop = LockStep(system, world, pace)
        words = f'put the {kind_named(target).noun} in the bowl'
        loop.follow(words, enough=lambda: len(log.rows) >= frames)
        while len(log.rows) < frames:
            world.advance_to(world.now_s + world.period_s)
            world.observe()
        del log.rows[frames:], log.views[frames:]
        return log.stacked() | {'to_go': self._to_go(log)}

    def _target(self, rng: np.random.Generator) -> str:
        movable = [kind for kind in self._lying if kind != 'bowl']
        asked = [kind for kind in movable if kind in ASKED]
        some = asked if asked and rng.random() < SHARE_ASKED else movable
        return some[rng.integers(len(some))]
