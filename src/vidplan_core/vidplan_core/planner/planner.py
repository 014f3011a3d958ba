# SPDX-License-Identifier: Apache-2.0
"""The paper's Algorithm 3: propose, imagine, score, choose, refine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.workspace import WorkspaceBox
from vidplan_core.heads.grounding import Reading
from vidplan_core.language.instruction import Instruction
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.judge import Judge
from vidplan_core.planner.objective.reach import ReachObjective, Score
from vidplan_core.planner.proposals.hermite import hermite_chunk
from vidplan_core.planner.proposals.spatial import SpatialBasis
from vidplan_core.planner.refine import into_ball, refine
from vidplan_core.world_model.world_model import Context, WorldModel


@dataclass(frozen=True)
class Start:
    """The state that candidates start from.

    position (3,) m, rotation (3, 3), velocity (3,) m/s of the flange, q (7,) rad, closedness.
    """

    position: Tensor
    rotation: Tensor
    velocity: Tensor
    q: Tensor
    closedness: float


@dataclass(frozen=True)
class Plan:
    """What was considered and what was chosen.

    `chunk` is the chosen motion (1, frames); `candidates` are all that were proposed.
    `latents` is its imagined future, None for the method without imagination.
    """

    chunk: PoseChunk
    candidates: PoseChunk
    scores: Tensor
    best: int
    score: float
    terms: dict[str, float]
    latents: Tensor | None
    refinement: tuple[float, ...]


class Planner:
    """Plans one chunk at a time; everything it knows of the world comes through its arguments."""

    def __init__(
        self,
        world_model: WorldModel,
        objective: ReachObjective,
        config: PlannerConfig,
        basis: SpatialBasis | None = None,
        judge: Judge | None = None,
    ) -> None:
        self.judge = judge or Judge()
        self.world_model, self.objective, self.config = world_model, objective, config
        self.basis = _above_targets(basis or SpatialBasis(step_m=config.step_m), config)

    def plan(
        self,
        context: Context,
        start: Start,
        phrase: str,
        memory: Tensor,
        cycle: int = 0,
        should_stop: Callable[[], bool] = lambda: False,
        instruction: str | Instruction = '',
    ) -> Plan:
        """Return the plan of one cycle.

        Args:
            context: the past, up to where the candidates start.
            start: the state there.
            phrase: what to move to.
            memory: where the target was last seen, (3,), base frame, m.
            cycle: number of the cycle; seeds the random method.
            should_stop: asked between iterations; a plan in hand is returned at once.
            instruction: what the value head is told; to move to the phrase if empty.
        """
        candidates = self.propose(start, memory)
        reading = staying = None
        if self.config.method in ('kinematic', 'random'):
            score, latents = self._without_imagination(candidates, memory), None
        else:
            with torch.no_grad():
                reading = self._read(context, phrase, instruction)
                staying = self._staying(context, start, reading)
                score, latents = self._imagine(
                    context, candidates, phrase, memory, reading, staying
                )
        best = self.choose(score.total, cycle)
        terms = {name: float(value[best]) for name, value in score.terms.items()}
        plan = Plan(
            candidates.select(best), candidates, score.total, best, float(score.total[best]),
            terms, None if latents is None else latents[best : best + 1], (),
        )  # fmt: skip
        if self.config.method in ('random', 'no_refine') or should_stop():
            return plan
        return self._refine(plan, context, start, phrase, memory, should_stop, reading, staying)

    def propose(self, start: Start, memory: Tensor) -> PoseChunk:
        """Candidates along the spatial basis; steps shrink as the target comes near."""
        config = self.config
        apart = float(self.objective.to_goal(start.position, start.rotation, memory).norm())
        step = min(config.step_m, max(config.smallest_step_m, apart))
        if config.method == 'random':
            step = config.step_m
        basis = replace(self.basis, step_m=step)
        model = self.world_model.config
        return basis.propose(
            start.position, start.rotation, start.velocity, start.q, start.closedness,
            model.frames, model.frame_period_s,
        )  # fmt: skip

    def still(self, start: Start) -> PoseChunk:
        """The chunk (1, frames) that brakes to rest without turning back."""
        return self.chunk(start, self.braking(start)[None])

    def braking(self, start: Start) -> Tensor:
        """Displacement (3,) in which a chunk brakes: the least that does not turn back, v T/3."""
        model = self.world_model.config
        return start.velocity * (model.frames - 1) * model.frame_period_s / 3.0

    @torch.no_grad()
    def evaluate(
        self,
        context: Context,
        start: Start,
        chunk: PoseChunk,
        phrase: str,
        memory: Tensor,
        instruction: str | Instruction = '',
    ) -> tuple[Score, Tensor]:
        """Imagine every candidate in one batch and score its frames; arguments as for `plan`."""
        reading = self._read(context, phrase, instruction)
        staying = self._staying(context, start, reading)
        return self._imagine(context, chunk, phrase, memory, reading, staying)

    def _read(
        self, context: Context, phrase: str, instruction: str | Instruction
    ) -> Reading | None:
        wanted = instruction or f'move to the {phrase}'
        return self.judge.reading(context, wanted)

    def choose(self, scores: Tensor, cycle: int) -> int:
        """Index of the best candidate, or a seeded random one."""
        if self.config.method == 'random':
            generator = torch.Generator().manual_seed(self.config.seed * 100_003 + cycle)
            return int(torch.randint(len(scores), (1,), generator=generator))
        return int(torch.nan_to_num(scores, nan=-torch.inf).argmax())

    def _imagine(
        self,
        context: Context,
        chunk: PoseChunk,
        phrase: str,
        memory: Tensor,
        reading: Reading | None,
        staying: Tensor | None = None,
    ) -> tuple[Score, Tensor]:
        frames = list(self.config.score_frames)
        config = self.config
        imagination = self.world_model.imagine(context, chunk, config.sampling, config.seed)
        latents = imagination.latents
        images = self.world_model.decode(latents[:, frames])
        position, rotation = chunk.position[:, frames], chunk.rotation[:, frames]
        judged = None
        if self.judge:
            judged = replace(self.judge.judge(imagination, reading, frames), staying=staying)
        score = self.objective.score(images, position, rotation, phrase, memory, judged)
        return score, latents

    def _staying(self, context: Context, start: Start, reading: Reading | None) -> Tensor | None:
        """Value (1, scored frames) of coming to rest; None where no score depends on it."""
        config, judge = self.config, self.judge
        doubted = judge.value_head is not None and judge.uncertainty_head is not None
        if not doubted or config.value_weight == 0.0:
            return None
        imagination = self.world_model.imagine(
            context, self.still(start), config.sampling, config.seed
        )
        return judge.value(imagination, reading, list(config.score_frames))

    def _without_imagination(self, chunk: PoseChunk, memory: Tensor) -> Score:
        apart = self.objective.distance(chunk.position[:, -1], chunk.rotation[:, -1], memory)
        nothing = self.objective.nothing(len(chunk))
        return Score(-self.config.distance_weight * apart, {'distance_m': apart}, nothing)

    def _refine(
        self,
        plan: Plan,
        context: Context,
        start: Start,
        phrase: str,
        memory: Tensor,
        should_stop: Callable[[], bool],
        reading: Reading | None,
        staying: Tensor | None,
    ) -> Plan:
        """Ascend the objective from the chosen motion, through the world model."""

        def value(motion: Tensor) -> tuple[Tensor, Tensor]:
            chunk = self.chunk(start, motion)
            if self.config.method == 'kinematic':
                return self._without_imagination(chunk, memory).total[0], motion
            score, latents = self._imagine(context, chunk, phrase, memory, reading, staying)
            return score.total[0], latents

        first = into_ball(plan.chunk.position[:, -1] - start.position, self.config.reach_m)
        refined = refine(
            value, first, iterations=self.config.refine_iterations,
            step=self.config.refine_step_m, radius=self.config.reach_m, should_stop=should_stop,
        )  # fmt: skip
        values = tuple(refined.values.tolist())
        if not values[-1] > values[0]:
            return replace(plan, refinement=values)
        with torch.no_grad():
            chunk = self.chunk(start, refined.motion)
        latents = None if plan.latents is None else refined.kept
        return replace(plan, chunk=chunk, score=values[-1], refinement=values, latents=latents)

    def chunk(self, start: Start, motion: Tensor) -> PoseChunk:
        """Chunks (N, frames) of motions (N, 3), m, inside the box; differentiable in them."""
        model = self.world_model.config
        return hermite_chunk(
            start.position, start.rotation, start.velocity, self._inside(start, motion),
            torch.zeros_like(motion), start.closedness, model.frames, model.frame_period_s,
        )  # fmt: skip

    def _inside(self, start: Start, motion: Tensor) -> Tensor:
        """Motions (N, 3), ending where the basis' box allows the tool to be."""
        tool = self.objective.tool(start.position, start.rotation)
        lower = torch.minimum(tool.new_tensor(self.basis.box.lower), tool)
        upper = torch.maximum(tool.new_tensor(self.basis.box.upper), tool)
        return torch.maximum(torch.minimum(tool + motion, upper), lower) - tool


def _above_targets(basis: SpatialBasis, config: PlannerConfig) -> SpatialBasis:
    """The basis in a box whose floor is the height at which the tool rests over a target."""
    x, y, floor = basis.box.lower
    lower = (x, y, max(floor, config.target_height_m + config.standoff_m))
    return replace(basis, box=WorkspaceBox(lower, basis.box.upper))
