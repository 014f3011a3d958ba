# SPDX-License-Identifier: Apache-2.0
"""The suite `refinement`: what gradient steps promise, and what of it comes true.

States are moments of an expert's way, the arm in motion. From each the planner plans with several
numbers of gradient steps, with uncertainty and without; the motion before and the motion after
refinement are carried out in branches of the simulator. The gain that was predicted is that of
the planner's score on what it imagined; the gain that was realised is that of the same score on
the pictures that really came. Their difference is the hacking gap. Beside it stands a gain that no
score can flatter: the frames that the expert needs less.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.action import PoseChunk
from vidplan_core.data.history import History
from vidplan_core.data.observation import Observation
from vidplan_core.errors import VidPlanError
from vidplan_core.language.instruction import PLACE
from vidplan_core.planner.plans.result import PlanResult
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.report.gains import gain_curves
from vidplan_eval.suites.pick_place.oracle import BranchWorth
from vidplan_eval.suites.pick_place.rule import RulePlanner
from vidplan_eval.suites.pick_place.scenes import PickPlaceEpisode
from vidplan_eval.suites.pick_place.sights import TrueSight
from vidplan_eval.world import World
from vidplan_sim.cell import Cell

STEPS = (1, 3, 6)
# Decisions of 0.4 s that the expert has made before a state.
DECISIONS = (1, 16)
DECISION_FRAMES = 2


@dataclass
class RefinementRow:
    """One planner in one state.

    Attributes:
        seed: of the scene and of the moment.
        target: kind of the named object.
        decisions: that the expert had made.
        uncertainty_weighting: whether the planner weights by uncertainty.
        steps: of refinement that it may take.
        predicted: gain of the score of what is imagined; 0 where no step was kept.
        realised: gain of the score of what came.
        gap: predicted minus realised.
        frames_saved: that the expert needs less after the refined motion.
        error: why there is no number, '' otherwise.
    """

    seed: int
    target: str
    decisions: int
    uncertainty_weighting: bool
    steps: int
    predicted: float | None = None
    realised: float | None = None
    gap: float | None = None
    frames_saved: float | None = None
    error: str = ''


@dataclass(frozen=True)
class State:
    """A moment to plan from: what was seen, and what the arm will do anyway."""

    words: str
    history: list[Observation]
    committed: CommittedMotion


class RefinementSuite:
    """Refines in one state after the other, and carries out what comes of it."""

    def __init__(self, system: PlanningSystem, world: World, branches: Cell) -> None:
        """Vary a system; `branches` renders as the world's cell does."""
        self._system, self._world, self._branches = system, world, branches
        self._planners = {
            (weighting, steps): varied(system, weighting, steps)
            for weighting in ((True, False) if system.heads.uncertainty_head else (False,))
            for steps in STEPS
        }

    def run(self, episode: PickPlaceEpisode) -> list[RefinementRow]:
        """A row for every planner in the state of a seed; what goes wrong is in them."""
        decisions = int(np.random.default_rng([episode.seed, 3]).integers(*DECISIONS))
        rows = [
            RefinementRow(episode.seed, episode.kind, decisions, weighting, steps)
            for weighting, steps in self._planners
        ]
        try:
            self._world.reset(episode.scene)
            worth = BranchWorth(self._world, self._branches, episode.kind)
            state = self._way(episode, decisions)
            for row in rows:
                self._fill(row, state, worth)
        except VidPlanError as error:
            _fail(rows, f'{error.code}: {error}')
        except Exception:  # one broken state must not cost the others
            _fail(rows, traceback.format_exc(limit=8))
        return rows

    def _way(self, episode: PickPlaceEpisode, decisions: int) -> State:
        """Let the expert go its way for some decisions."""
        world, model = self._world, self._system.world_model.config
        history = History(model.history_frames, world.period_s, model.history_ages)
        expert = RulePlanner(TrueSight(world.cell, episode.kind), episode.kind, world.period_s)
        task = expert.new_task(episode.instruction)
        for _ in range(model.history_frames):
            self._pass(history, 1)
        for _ in range(decisions):
            plan = expert.plan(task, [history.sample()[-1]], world.committed(), lambda: False)
            world.execute(plan.chunk, plan.start_s, plan.start_s)
            self._pass(history, DECISION_FRAMES)
        reach = f'move to the {task.instruction.target}'
        words = episode.instruction if PLACE in self._system.kinds else reach
        return State(words, history.sample(), world.committed())

    def _pass(self, history: History, frames: int) -> None:
        for _ in range(frames):
            self._world.advance_to(self._world.now_s + self._world.period_s)
            history.push(self._world.observe())

    def _fill(self, row: RefinementRow, state: State, worth: BranchWorth) -> None:
        system = self._planners[row.uncertainty_weighting, row.steps]
        plan = system.plan(system.new_task(state.words), state.history, state.committed)
        if len(plan.scores) < 2:
            row.error = 'the planner has nothing to choose here'
            return
        kept = bool(plan.refinement) and plan.refinement[-1] > plan.refinement[0]
        row.predicted = plan.refinement[-1] - plan.refinement[0] if kept else 0.0
        row.realised = row.frames_saved = 0.0
        if kept:
            self._carry_out(row, system, state, plan, worth)
        row.gap = row.predicted - row.realised

    def _carry_out(
        self,
        row: RefinementRow,
        system: PlanningSystem,
        state: State,
        plan: PlanResult,
        worth: BranchWorth,
    ) -> None:
        stamp_s = state.history[-1].stamp_s
        chunks = [plan.candidates.select(plan.best), plan.chunk]
        futures = [self._future(chunk, stamp_s, plan.start_s) for chunk in chunks]
        pairs = zip(chunks, futures, strict=True)
        before, after = (score_future(system, state, *pair) for pair in pairs)
        row.realised = after - before
        frames = [worth.frames(chunk, stamp_s, plan.start_s) for chunk in chunks]
        row.frames_saved = frames[0] - frames[1]

    def _future(self, chunk: PoseChunk, stamp_s: float, start_s: float) -> list[Observation]:
        """What is seen at the new frames of a chunk when it is carried out."""
        branch = self._world.branch(self._branches)
        branch.execute(chunk, stamp_s, start_s)
        seen = []
        for frame in range(1, chunk.frames):
            branch.advance_to(start_s + frame * branch.period_s)
            seen.append(branch.observe())
        return seen


def varied(system: PlanningSystem, weighting: bool, steps: int) -> PlanningSystem:
    """The same models, with so many gradient steps, weighting by uncertainty or not."""
    config = replace(system.config, refine_iterations=steps)
    if not weighting:
        config = replace(config, uncertainty_discount=0.0, uncertainty_weight=0.0)
    return PlanningSystem(
        system.world_model, system.scorer, system.cameras, config, system.device, system.heads,
        system.parts.robot, system.parts.policy,
    )  # fmt: skip


@torch.no_grad()
def score_future(
    system: PlanningSystem, state: State, chunk: PoseChunk, future: Sequence[Observation]
) -> float:
    """The planner's score of a chunk (1, frames) if it had imagined what really came.

    `future` has the chunk's new frames; what the planner doubts it doubts as before.
    """
    task = system.new_task(state.words)
    here = system.situation(task, state.history, state.committed)
    planner, model = system.planner(task.instruction.verb), system.world_model
    imagined = planner.dynamics.predict(here, chunk)
    assert imagined is not None
    images = torch.from_numpy(np.stack([seen.image for seen in future]))[None]
    latents = model.encode(images.to(system.device))
    came = replace(
        imagined,
        latents=torch.cat([imagined.latents[:, :1], latents], 1),
        outcome=model.read_outcome(latents, imagined.condition),
    )
    return float(planner.objective.at(here)(chunk, came).total[0])


def summarise_refinement(
    named: Mapping[str, Any], rows: Sequence[RefinementRow], asked: int
) -> dict[str, Any]:
    """The result file: means over states with bootstrap intervals, by planner and steps."""
    plain = [asdict(row) for row in sorted(rows, key=lambda row: row.seed)]
    states, curves = len({row.seed for row in rows}), gain_curves(plain, STEPS)
    return {**named, 'episodes': states, 'episodes_asked': asked, 'curves': curves, 'rows': plain}


def _fail(rows: Sequence[RefinementRow], words: str) -> None:
    for row in rows:
        if row.predicted is None:
            row.error = row.error or words

