# SPDX-License-Identifier: Apache-2.0
"""The paper's Algorithm 3: propose, imagine, score, choose, refine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.planner.interfaces import (
    Dynamics,
    Objective,
    ProposalSource,
    Score,
    Scoring,
    Situation,
)
from vidplan_core.planner.motion.refine import into_ball, refine
from vidplan_core.planner.motion.space import MotionSpace
from vidplan_core.planner.proposals.shortlist import Shortlist
from vidplan_core.world_model.world_model import Imagination

# Of scores (candidates,) and a seed, the index of the candidate to take.
Choice = Callable[[Tensor, int], int]


def best_candidate(scores: Tensor, seed: int) -> int:
    """Index of the highest score; one that is not a number is never the highest."""
    return int(torch.nan_to_num(scores, nan=-torch.inf).argmax())


def above_margin(margin: float) -> Choice:
    """Take the best where it is better than the first by more than a margin, else the first.

    Scores err; what a source proposes first is left for a reason only.
    """

    def choose(scores: Tensor, seed: int) -> int:
        best = best_candidate(scores, seed)
        first = float(torch.nan_to_num(scores[0], nan=-torch.inf))
        return best if float(scores[best]) > first + margin else 0

    return choose


def first_candidate(scores: Tensor, seed: int) -> int:
    """What the source proposes first."""
    return 0


def random_candidate(scores: Tensor, seed: int) -> int:
    """Index of any candidate, the same for a seed."""
    generator = torch.Generator().manual_seed(seed)
    return int(torch.randint(len(scores), (1,), generator=generator))


@dataclass(frozen=True)
class Refinement:
    """Gradient steps on the chosen motion: how many, the first one's length, how far in all.

    `around` bounds how far the chosen motion is changed instead of how long it may become: what a
    policy proposes is left only as far as its data support it.
    """

    iterations: int
    step_m: float
    reach_m: float
    around: bool = False


@dataclass(frozen=True)
class Plan:
    """What was considered and what was chosen.

    `chunk` is the chosen motion (1, frames); `candidates` are all that were proposed; those that
    were not imagined have a score of minus infinity.
    `latents` is its imagined future, None for the method without imagination; `ends` are the last
    imagined latents of every candidate, (candidates, 1, ...), zeros for those not imagined.
    """

    chunk: PoseChunk
    candidates: PoseChunk
    scores: Tensor
    best: int
    score: float
    terms: dict[str, float]
    latents: Tensor | None
    refinement: tuple[float, ...]
    ends: Tensor | None = None


def only_plan(chunk: PoseChunk) -> Plan:
    """The plan of an arm that has no choice: it is done, or backs off."""
    return Plan(chunk, chunk, torch.zeros(1), 0, 0.0, {}, None, ())


@dataclass(frozen=True)
class Planner:
    """Plans one chunk at a time; everything it knows of the world comes in a situation.

    Attributes:
        source: of the candidates.
        dynamics: what they lead to.
        objective: what that is worth.
        choose: takes one of them.
        refinement: of the one that was taken; None for none.
        motions: what refinement moves in.
        ascended: what refinement ascends; None for the objective that candidates are chosen by.
        refining: what refinement imagines with; None for the same as for candidates.
        shortlist: of the candidates that are imagined; None for all.
        supported: which chunks (candidates, frames) may be the outcome of refinement; None for
            all.
    """

    source: ProposalSource
    dynamics: Dynamics
    objective: Objective
    choose: Choice
    refinement: Refinement | None
    motions: MotionSpace
    ascended: Objective | None = None
    refining: Dynamics | None = None
    shortlist: Shortlist | None = None
    supported: Callable[[PoseChunk, Situation], Tensor] | None = None

    def plan(
        self, situation: Situation, should_stop: Callable[[], bool] = lambda: False
    ) -> Plan:
        """Plan one cycle; when `should_stop`, asked between iterations, return what is in hand."""
        with torch.no_grad():
            # Propose.
            candidates = self.source.propose(situation)
            listed = self._listed(situation, candidates)
            score = self.objective.at(situation)
            # Imagine.
            taken = candidates.rows(listed)
            imagination = self.dynamics.predict(situation, taken)
            # Score.
            scores = score(taken, imagination)
            total = scores.total.new_full((len(candidates),), -torch.inf)
            total[listed] = scores.total
        # Choose.
        row = self.choose(scores.total, situation.seed)
        plan = Plan(
            chunk=taken.select(row), candidates=candidates,
            scores=total, best=int(listed[row]), score=float(scores.total[row]),
            terms={name: float(value[row]) for name, value in scores.terms.items()},
            latents=None if imagination is None else imagination.latents[row : row + 1],
            refinement=(), ends=_ends(imagination, listed, len(candidates)),
        )  # fmt: skip
        if self.refinement is None or not self.refinement.iterations or should_stop():
            return plan
        if self.ascended is not None:
            with torch.no_grad():
                score = self.ascended.at(situation)
        return self._refined(plan, self.refinement, situation, score, should_stop)

    def _listed(self, situation: Situation, candidates: PoseChunk) -> Tensor:
        """Indices of the candidates that are imagined."""
        if self.shortlist is None:
            return torch.arange(len(candidates), device=candidates.position.device)
        return self.shortlist.of(situation, candidates)

    def _refined(
        self, plan: Plan, refinement: Refinement, situation: Situation, score: Scoring,
        should_stop: Callable[[], bool],
    ) -> Plan:  # fmt: skip
        """Refine: ascend the objective from the chosen motion, through the dynamics."""
        start, grip = situation.start, plan.chunk.closedness[:, -1]
        chosen, limit = self.motions.motion_of(situation.start, plan.chunk), refinement.reach_m
        # Either the chosen motion is the middle of where it may go, or none is.
        middle = chosen if refinement.around else torch.zeros_like(chosen)

        # What a straight motion cannot say of the chosen chunk, such as a tilt, stays as it is.
        straight = self.motions.chunk(start, chosen, grip)
        bend = plan.chunk.position - straight.position
        twist = plan.chunk.rotation @ straight.rotation.mT

        def chunk_of(motion: Tensor) -> PoseChunk:
            made = self.motions.chunk(start, middle + motion, grip)
            grips = plan.chunk.closedness
            return PoseChunk(made.position + bend, twist @ made.rotation, grips)

        def value(motion: Tensor) -> tuple[Tensor, Tensor]:
            chunk = chunk_of(motion)
            imagination = (self.refining or self.dynamics).predict(situation, chunk)
            total = score(chunk, imagination).total[0]
            return total, motion if imagination is None else imagination.latents

        refined = refine(
            value, into_ball(chosen - middle, limit), iterations=refinement.iterations,
            step=refinement.step_m, radius=limit, should_stop=should_stop,
        )  # fmt: skip
        values = tuple(refined.values.tolist())
        if not values[-1] > values[0]:
            return replace(plan, refinement=values)
        with torch.no_grad():
            chunk = chunk_of(refined.motion)
        if self.supported is not None and not bool(self.supported(chunk, situation).all()):
            return replace(plan, refinement=values)
        latents = None if plan.latents is None else refined.kept
        best = plan.score if self.ascended else values[-1]
        return replace(plan, chunk=chunk, score=best, refinement=values, latents=latents)

    @torch.no_grad()
    def evaluate(self, situation: Situation, chunk: PoseChunk) -> Score:
        """Imagine any chunks (candidates, frames) and score them."""
        score = self.objective.at(situation)
        return score(chunk, self.dynamics.predict(situation, chunk))


def _ends(imagination: Imagination | None, listed: Tensor, count: int) -> Tensor | None:
    """Last latents (count, 1, ...) of the candidates that are listed."""
    if imagination is None:
        return None
    last = imagination.latents[:, -1:]
    ends = last.new_zeros(count, *last.shape[1:])
    ends[listed] = last
    return ends
