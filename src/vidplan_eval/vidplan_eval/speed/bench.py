# SPDX-License-Identifier: Apache-2.0
"""How long each stage from images to joint commands takes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.action import PoseChunk
from vidplan_core.data.observation import Observation
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.planner.motion.hermite import hermite_chunk
from vidplan_core.planner.objective.objective import TermObjective
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.speed.timing import Stage
from vidplan_eval.world import World

CANDIDATES = 6
ROLLOUTS = tuple((count, steps) for count in (1, CANDIDATES) for steps in (1, 2, 4))


class Bench:
    """The stages, each a function without arguments over one scene of the cell.

    The scene's arm moves, as it does in the middle of a task: a plan then also imagines what
    the arm is committed to.
    """

    def __init__(self, system: PlanningSystem, world: World, instruction: str) -> None:
        """Look at the world's present scene and set the arm in motion."""
        self._system, self._world = system, world
        self._model, self._objective = system.world_model, TermObjective.build(system.parts)
        self._views = world.cell.render()
        self._history = self._look()
        self._task = system.new_task(instruction)
        self._situation = system.situation(system.new_task(instruction), self._history)
        self._set_in_motion(system.plan(self._task, self._history, None, lambda: False).chunk)
        self._images, self._past = self._inputs()
        self._chunks = {count: self._motions(count) for count in (1, CANDIDATES)}
        with torch.no_grad():
            self._context = self._model.context(self._images, self._past)
            self._latents = self._model.rollout(self._context, self._chunks[CANDIDATES], 1, 0)
        self._committed: CommittedMotion = world.committed()

    def stages(self) -> Iterator[tuple[str, Stage]]:
        """Yield name and function of every stage, in the order of the pipeline."""
        yield 'stitch', lambda: self._world.layout.stitch(self._views)
        yield 'encode', self._encode
        for count, steps in ROLLOUTS:
            yield f'rollout_{count}x{steps}', partial(self._rollout, count, steps)
        yield 'score', self._score
        yield 'refine_step', self._refine_step
        yield 'plan', self._plan
        yield 'adapter', self._adapt
        yield 'observation_to_command', self._observation_to_command

    def _look(self) -> list[Observation]:
        frames = self._model.config.history_frames
        history = [self._world.observe()]
        for _ in range(frames - 1):
            self._world.advance_to(self._world.now_s + self._world.period_s)
            history.append(self._world.observe())
        return history

    def _set_in_motion(self, chunk: PoseChunk) -> None:
        present_s = self._world.now_s
        self._world.execute(chunk, present_s, present_s)
        self._world.advance_to(present_s + self._world.period_s)
        self._history = [*self._history, self._world.observe()][-len(self._history) :]

    def _inputs(self) -> tuple[Tensor, PoseChunk]:
        device = self._system.device
        images = np.stack([seen.image for seen in self._history])[None]
        position = np.stack([seen.position for seen in self._history])[None]
        quaternion = np.stack([seen.quaternion for seen in self._history])[None]
        past = PoseChunk(
            torch.from_numpy(position).float(),
            quaternion_to_matrix(torch.from_numpy(quaternion).float()),
            torch.zeros(1, len(self._history)),
        )
        return torch.from_numpy(images).to(device), past.to(device)

    def _motions(self, count: int) -> PoseChunk:
        generator = torch.Generator().manual_seed(0)
        motion = 0.1 * (torch.rand(count, 3, generator=generator) - 0.5)
        return self._chunk(motion.to(self._system.device))

    def _chunk(self, motion: Tensor) -> PoseChunk:
        config = self._model.config
        return hermite_chunk(
            self._past.position[0, -1],
            self._past.rotation[0, -1],
            torch.zeros(3, device=motion.device),
            motion,
            torch.zeros_like(motion),
            0.0,
            config.frames,
            config.frame_period_s,
        )

    @torch.no_grad()
    def _encode(self) -> object:
        return self._model.context(self._images, self._past)

    @torch.no_grad()
    def _rollout(self, count: int, steps: int) -> object:
        return self._model.rollout(self._context, self._chunks[count], steps, 0)

    @torch.no_grad()
    def _score(self) -> object:
        """Decode and score what six candidates lead to."""
        return self._value(self._latents, self._chunks[CANDIDATES])

    def _value(self, latents: Tensor, chunk: PoseChunk) -> Tensor:
        frames = list(self._system.config.score_frames)
        images = self._objective.decode(latents)
        poses = chunk.part(frames)
        return self._objective.score_pictures(self._situation, poses, images).total

    def _refine_step(self) -> object:
        """One value and its gradient in the motion, through the world model."""
        motion = torch.full((1, 3), 0.02, device=self._system.device, requires_grad=True)
        chunk = self._chunk(motion)
        latents = self._model.imagine(self._context, chunk, self._system.config.sampling).latents
        value = self._value(latents, chunk)[0]
        return torch.autograd.grad(value, motion)

    def _plan(self) -> object:
        return self._system.plan(self._task, self._history, self._committed, lambda: False)

    def _adapt(self) -> object:
        """Turn a chunk into a checked joint trajectory, from rest."""
        now_s = self._world.now_s
        self._world.adapter.reset()
        self._world.feed()
        return self._world.command(self._chunks[1], now_s, now_s)

    def _observation_to_command(self) -> object:
        """From three camera pictures and a joint state to a joint trajectory."""
        image = self._world.layout.stitch(self._views)
        newest = self._history[-1]
        seen = Observation(
            newest.stamp_s,
            image,
            newest.q,
            newest.dq,
            newest.closedness,
            newest.position,
            newest.quaternion,
        )
        history = [*self._history[:-1], seen]
        self._system.plan(self._task, history, self._committed, lambda: False)
        return self._adapt()
