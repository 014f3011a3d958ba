# SPDX-License-Identifier: Apache-2.0
"""Branch sets of moments that a planner visits, as it imagined and looked at them itself.

A value that knows the expert's ways alone is trusted where nobody has been, and leads there
(Ross et al. 2011, "A Reduction of Imitation Learning and Structured Prediction to No-Regret Online
Learning"). Here the planner leads, the simulator says what its best candidates and some others
come to, and the value learns to order them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.heads.inputs import HeadInput
from vidplan_core.heads.value import ValueHead, value_input
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.plans.result import PlanResult
from vidplan_core.planner.system import PlanningSystem
from vidplan_core.world_model.world_model import Imagination
from vidplan_eval.lockstep import LockStep, LockstepPlanner, Pace
from vidplan_eval.suites.judging.judged import GRACE_S
from vidplan_eval.suites.pick_place.episode import begin
from vidplan_eval.suites.pick_place.names import LIMIT_S, TASKS
from vidplan_eval.suites.pick_place.oracle import BranchingPlanner, BranchWorth, Worth
from vidplan_eval.suites.pick_place.scenes import MOST_DISTRACTORS, pick_place_episode
from vidplan_eval.suites.workers import share_out
from vidplan_eval.world import World
from vidplan_sim.cell import Cell
from vidplan_sim.expert.remaining import MOST_FRAMES
from vidplan_training.engine.progress_log import ProgressLog
from vidplan_training.recipes.contact.relations import LookedRows, without_pictures
from vidplan_training.recipes.contact.value import BRANCHES, ValueBatch

# Candidates of a set that the planner finds best; the others are any.
BEST = 5
# Policies beside the basis, the one of words more often: its planner errs more.
BASES = ('words', 'words', 'grounded')
# How often the planner's own choice is carried out; the simulator's best mostly otherwise.
OWN = (0.25, 0.5, 0.75, 0.95)
SHARE_BEST = 0.85
HELD_OUT = 7  # seeds that it divides are kept for a check


class WatchedValue:
    """A value head that keeps what it looked at last of several candidates.

    Attributes:
        seen: features (candidates, frames, numbers) and what else was read; None before.
    """

    sees_the_end = True

    def __init__(self, head: ValueHead) -> None:
        self._head = head
        self.seen: tuple[Tensor, HeadInput] | None = None

    def predict_done(self, imagination: Imagination, grounding: InstructionGrounding) -> Tensor:
        """As the head."""
        return self._head.predict_done(imagination, grounding)

    def predict_value(
        self, imagination: Imagination, grounding: InstructionGrounding,
        frames: Sequence[int] | None = None,
    ) -> Tensor:  # fmt: skip
        """As the head."""
        inputs = value_input(imagination, grounding)
        looked = self._head.looked(inputs)  # of all frames: they are what is kept
        if len(looked) > 1:  # coming to rest alone is no choice
            self.seen = looked.detach().half(), inputs.detach()
        value = self._head.value_of(self._head.logits_of(looked, inputs).float())
        return value if frames is None else value[:, [frame - 1 for frame in frames]]


class VisitingPlanner(BranchingPlanner):
    """A planner whose cycles become branch sets; what is carried out is not always its choice."""

    def __init__(
        self, planner: LockstepPlanner, watched: WatchedValue, worth: Worth,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        super().__init__(planner, worth)
        self._watched, self._rng = watched, rng
        self._own = rng.choice(OWN)
        self.sets: list[tuple[Tensor, ValueBatch]] = []

    def branched(self, plan: PlanResult) -> Sequence[int]:
        """The planner's choice, its next best, and any others; none where it looked at too few."""
        seen, count = self._watched.seen, len(plan.scores)
        if count < BRANCHES or seen is None or len(seen[0]) != count:
            return ()
        order = [plan.best, *(i for i in np.argsort(plan.scores)[::-1] if i != plan.best)]
        any_other = self._rng.permutation(order[BEST:])[: BRANCHES - BEST]
        return [int(i) for i in (*order[:BEST], *any_other)]

    def taken(self, plan: PlanResult, frames: dict[int, float]) -> int:
        """Keep the set; the planner's own choice, the simulator's or any."""
        self._keep(frames)
        draw = self._rng.random()
        if draw < self._own:
            return plan.best
        if draw < self._own + SHARE_BEST * (1.0 - self._own):
            return min(frames, key=frames.__getitem__)
        return int(self._rng.choice(list(frames)))

    def _keep(self, frames: dict[int, float]) -> None:
        assert self._watched.seen is not None
        looked, inputs = self._watched.seen
        self._watched.seen = None  # a plan without a choice looks at nothing
        index = torch.tensor(list(frames))
        to_go = torch.full(inputs.actions.shape[:2], float('nan'))[index]
        to_go[:, -1] = torch.tensor(list(frames.values())).clamp_max(float(MOST_FRAMES))
        group = torch.full((BRANCHES,), len(self.sets))
        self.sets.append((looked[index], ValueBatch(inputs.rows(index), to_go, group)))


class VisitRecorder:
    """Lets planners with the models of a folder do the bowl tasks, and keeps what they considered.

    Raises as `PlanningSystem.load`.
    """

    def __init__(self, models: Path) -> None:
        self._systems = {base: _watched_system(models, base) for base in set(BASES)}
        model = next(iter(self._systems.values()))[0].world_model.config
        self._world = World(Cell(), model.layout, model.frame_period_s)
        self._branches = Cell()
        self._pace = Pace(
            model.history_frames, limit_s=LIMIT_S, history_ages=model.history_ages
        )

    def record(self, seed: int) -> LookedRows | None:
        """The branch sets of one episode; None where the planner never chose."""
        rng, world = np.random.default_rng([seed, 77]), self._world
        task, base = str(rng.choice(list(TASKS))), BASES[rng.integers(len(BASES))]
        episode = pick_place_episode(task, seed, int(rng.integers(MOST_DISTRACTORS + 1)))
        witness = begin(world, episode, LIMIT_S)
        system, watched = self._systems[base]
        worth = BranchWorth(world, self._branches, episode.kind)
        planner = VisitingPlanner(system, watched, worth, rng)
        loop = LockStep(planner, world, self._pace)
        loop.follow(episode.instruction, enough=lambda: witness.placed_for(GRACE_S))
        if not planner.sets:
            return None
        batch = without_pictures(ValueBatch.cat([rows for _, rows in planner.sets]))
        return LookedRows(torch.cat([seen for seen, _ in planner.sets]), batch, len(planner.sets))


def _watched_system(models: Path, base: str) -> tuple[PlanningSystem, WatchedValue]:
    loaded = PlanningSystem.load(models, PlannerConfig(method='no_refine', base=base))
    parts, head = loaded.parts, loaded.parts.heads.value_head
    assert isinstance(head, ValueHead)
    watched = WatchedValue(head)
    heads = replace(parts.heads, value_head=watched)
    system = PlanningSystem(
        loaded.world_model, loaded.scorer, loaded.cameras, parts.config, parts.device, heads,
        parts.robot, parts.policy,
    )  # fmt: skip
    return system, watched


@dataclass(frozen=True)
class VisitWork:
    """What a process loads once, and the episodes that it then records into a folder."""

    models: Path
    folder: Path

    def __call__(self) -> Callable[[int], int]:
        """Load; returns what records the episode of a seed."""
        recorder = VisitRecorder(self.models)

        def run(seed: int) -> int:
            rows, file = recorder.record(seed), self.folder / f'visit_{seed}.pt'
            if rows is not None:
                rows.save(file)
            return seed

        return run


def _recorded(
    models: Path, folder: Path, seeds: Sequence[int], workers: int
) -> Iterable[int]:
    """Load models only where an episode is missing."""
    return share_out(VisitWork(models, folder), seeds, workers) if seeds else ()


def visit(
    models: Path, folder: Path, seeds: Sequence[int], workers: int
) -> tuple[LookedRows | None, LookedRows | None]:
    """Record the episodes of seeds that a folder lacks; all its branch sets, of both splits.

    Earlier rounds in the same folder are learnt from, too: only the part of the value that reads
    relations may differ between them.
    """
    missing = [seed for seed in seeds if not (folder / f'visit_{seed}.pt').exists()]
    progress = ProgressLog('visited (episodes)', len(missing))
    for number, _ in enumerate(_recorded(models, folder, missing, workers), 1):
        progress.update(number)
    splits: tuple[list[LookedRows], list[LookedRows]] = [], []
    sets = 0
    for seed in sorted(int(file.stem.split('_')[1]) for file in folder.glob('visit_*.pt')):
        rows = LookedRows.load(folder / f'visit_{seed}.pt')
        splits[seed % HELD_OUT == 0].append(rows.renumbered(sets))
        sets += rows.sets
    training, held_out = (LookedRows.cat(part) if part else None for part in splits)
    return training, held_out
