# SPDX-License-Identifier: Apache-2.0
"""What the models say of a look: how surprising, how strange, how uncertain."""

from __future__ import annotations

from dataclasses import replace

import torch

from vidplan_core.data.observation import Observation
from vidplan_core.planner.motion.committed import rests
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.plans.encoded import EncodedFrames, poses_of
from vidplan_core.planner.plans.foresight import Foresight, ImaginedMotion, committed_chunk
from vidplan_eval.suites.views.cycles import WatchedCycle

SURPRISE, PART = 'surprise', 'part_surprise'
NOVELTY, UNCERTAINTY = 'novelty', 'uncertainty'


class OutcomeJudge:
    """Judges looks as a planner does."""

    def __init__(self, parts: PlannerParts, words: str = '') -> None:
        """Judge by loaded models; `words` are those of the instruction."""
        config = parts.config
        going_on = replace(config, surprise=replace(config.surprise, stop_on_surprise=False))
        self._parts, self._words = replace(parts, config=going_on), words
        self._encoded = EncodedFrames(parts.world_model)
        self._known: dict[int, tuple[WatchedCycle, ImaginedMotion | None]] = {}

    def forget(self) -> None:
        """Begin another episode: nothing is imagined twice within one."""
        self._known.clear()

    def imagine(self, cycle: WatchedCycle) -> ImaginedMotion | None:
        """What a cycle's motion will show; None where there is none."""
        if id(cycle) not in self._known:
            self._known[id(cycle)] = cycle, self._imagine(cycle)
        return self._known[id(cycle)][1]

    @torch.no_grad()
    def _imagine(self, cycle: WatchedCycle) -> ImaginedMotion | None:
        present, parts = cycle.history[-1], self._parts
        if rests(cycle.committed, present.stamp_s):
            return None
        latents = self._encoded.latents([seen.image for seen in cycle.history])
        poses = poses_of(cycle.history).to(parts.device)
        context = parts.world_model.past(latents, poses, self._words)
        chunk = committed_chunk(parts, context, present, cycle.committed)
        return ImaginedMotion.imagine(parts, context, chunk, present.stamp_s)

    def surprise(self, imagined: ImaginedMotion | None, seen: Observation) -> dict[str, float]:
        """How surprising a look is after that, see `Surprise.terms`; nothing if not comparable."""
        latents = self._encoded.latents([seen.image])[:, -1]
        found = Foresight(imagined).look(self._parts, seen, latents)
        return {} if found is None else found.terms

    def scores(self, imagined: ImaginedMotion | None, cycle: WatchedCycle) -> dict[str, float]:
        """All that is known of a cycle's look after what was imagined of it."""
        seen = cycle.history[-1]
        found = {
            NOVELTY: self._novelty(seen),
            UNCERTAINTY: self._uncertainty(self.imagine(cycle)),
        }
        known = {name: value for name, value in found.items() if value is not None}
        return self.surprise(imagined, seen) | known

    @torch.no_grad()
    def _novelty(self, seen: Observation) -> float | None:
        heads, views = self._parts.heads, len(self._parts.world_model.config.views)
        picture = torch.from_numpy(seen.image).unflatten(0, (views, -1))[None]
        scaled = picture.permute(0, 1, 4, 2, 3).to(self._parts.device).float() / 255.0
        return heads.strangeness(self._encoded.latents([seen.image])[:, -1], heads.seen(scaled))

    @torch.no_grad()
    def _uncertainty(self, imagined: ImaginedMotion | None) -> float | None:
        """Mean entropy of what is imagined next."""
        head = self._parts.heads.uncertainty_head
        if head is None or imagined is None:
            return None
        return float(head.predict_error(imagined.imagination).entropy.mean())
