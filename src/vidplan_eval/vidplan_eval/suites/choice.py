# SPDX-License-Identifier: Apache-2.0
"""The suite `choice`: whether the planner takes the candidate that the simulator finds best.

Each state is a new scene with the arm at rest. Every candidate is executed in a branch of the
simulator; the best is the one after which the tool is nearest to the named object. Beside the
planner stand: always the same candidate, the same score without the world model, and the
planner's own score on the futures that really came.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from vidplan_core.data.action import PoseChunk
from vidplan_core.data.observation import Observation
from vidplan_core.errors import VidPlanError
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.metrics.intervals import bootstrap_interval, exact_interval, percentile
from vidplan_core.planner.interfaces import Situation, Start
from vidplan_core.planner.plans.result import PlanResult
from vidplan_core.planner.proposals.spatial import SpatialProposals
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.episode import SuiteEpisode
from vidplan_eval.world import World

PLANNER, KINEMATIC, TRUTH = 'vidplan', 'no_world_model', 'true_futures'
USUAL = 'by_default'
CHOOSERS = (PLANNER, KINEMATIC, TRUTH)


@dataclass
class ChoiceRow:
    """One state.

    Attributes:
        seed: of the scene.
        target: the named object.
        distances_m: tool to the object's centre after each candidate.
        best: the candidate with the smallest distance.
        chosen: by chooser, the candidate it takes; none where it found no target.
        scores: by chooser, its score of every candidate.
        latency_s: duration of the planner's choice.
        error: why the state cannot be judged, or what went wrong; '' otherwise.
    """

    seed: int
    target: str
    distances_m: list[float] = field(default_factory=list)
    best: int | None = None
    chosen: dict[str, int] = field(default_factory=dict)
    scores: dict[str, list[float]] = field(default_factory=dict)
    latency_s: float | None = None
    error: str = ''


class ChoiceSuite:
    """Judges the choices of one state after the other."""

    def __init__(
        self,
        planner: PlanningSystem,
        kinematic: PlanningSystem,
        world: World,
        usual: PlanningSystem | None = None,
    ) -> None:
        """Compare two planning systems that differ in their method only.

        `usual` plans as by default, to tell how often a configuration chooses something else.
        """
        self._systems = {PLANNER: planner, KINEMATIC: kinematic}
        if usual is not None:
            self._systems[USUAL] = usual
        self._world = world
        self._frames = planner.world_model.config.frames
        self._situation: Situation | None = None

    def run(self, episode: SuiteEpisode) -> ChoiceRow:
        """Return the row of a scene; a crash becomes a row with its error."""
        row = ChoiceRow(episode.seed, episode.kind)
        try:
            self._fill(episode, row)
        except Exception:  # one broken state must not cost the others
            row.error = traceback.format_exc(limit=8)
        return row

    def _fill(self, episode: SuiteEpisode, row: ChoiceRow) -> None:
        history = self._start(episode)
        plans = self._plans(episode, history, row)
        candidates = next((plan.candidates for plan in plans.values()), None)
        if candidates is None:
            candidates = self._unguided(history[-1])
        if len(candidates) == 1:
            row.error = 'the tool is over the target already: there is nothing to choose'
            return
        futures = self._execute(episode, candidates, row)
        for name, plan in plans.items():
            row.scores[name] = list(plan.scores)
            row.chosen[name] = int(plan.best)
        if PLANNER in plans:
            row.latency_s = plans[PLANNER].latency_s
            assert self._situation is not None  # there is one where there is a plan
            row.scores[TRUTH] = self._score(futures, self._situation)
            row.chosen[TRUTH] = int(np.argmax(row.scores[TRUTH]))

    def _start(self, episode: SuiteEpisode) -> list[Observation]:
        """Set the scene up and look as often as the world model needs; the arm stands."""
        world = self._world
        world.reset(episode.scene)
        history = [world.observe()]
        for _ in range(self._systems[PLANNER].world_model.config.history_frames - 1):
            world.advance_to(world.now_s + world.period_s)
            history.append(world.observe())
        return history

    def _plans(
        self, episode: SuiteEpisode, history: list[Observation], row: ChoiceRow
    ) -> dict[str, PlanResult]:
        plans = {}
        for name, system in self._systems.items():
            task = system.new_task(episode.instruction)
            try:
                plans[name] = system.plan(task, history, None, lambda: False)
            except VidPlanError as error:
                row.error = f'{error.code}: {error}'
                continue
            if name == PLANNER:
                fresh = system.new_task(episode.instruction)
                self._situation = system.situation(fresh, history)
        return plans

    def _unguided(self, present: Observation) -> PoseChunk:
        """The candidates of a planner that does not know where the target is."""
        proposals = SpatialProposals.build(self._systems[PLANNER].parts)
        numbers = (
            torch.as_tensor(value, dtype=torch.float32)
            for value in (present.position, present.quaternion, present.q)
        )
        position, quaternion, q = numbers
        closedness, rest = present.closedness, torch.zeros(3)
        start = Start(position, quaternion_to_matrix(quaternion), rest, q, closedness)
        return proposals.spread(start, closedness, proposals.basis.step_m)

    def _execute(
        self, episode: SuiteEpisode, candidates: PoseChunk, row: ChoiceRow
    ) -> list[list[Observation]]:
        """Execute every candidate from the same moment; returns what was then seen."""
        world = self._world
        moment = world.cell.save()
        futures = []
        for index in range(len(candidates)):
            world.restore(moment)
            start_s = world.now_s
            if not world.execute(candidates.select(index), start_s, start_s):
                raise RuntimeError(f'candidate {index} was refused: {world.rejections[-1]}')
            futures.append(self._watch(start_s))
            apart = world.cell.tcp - world.cell.truth()[episode.kind]
            row.distances_m.append(float(np.linalg.norm(apart)))
        row.best = int(np.argmin(row.distances_m))
        return futures

    def _watch(self, start_s: float) -> list[Observation]:
        """Let a chunk run; returns the observations at the frames that the planner scores."""
        seen = []
        for frame in range(1, self._frames):
            self._world.advance_to(start_s + frame * self._world.period_s)
            if frame in self._systems[PLANNER].config.score_frames:
                seen.append(self._world.observe())
        return seen

    def _score(self, futures: list[list[Observation]], situation: Situation) -> list[float]:
        """Return the planner's score of what really came."""
        system = self._systems[PLANNER]
        model = system.world_model.config
        stacked = np.stack([[seen.image for seen in future] for future in futures])
        images = torch.from_numpy(stacked).unflatten(2, (len(model.views), model.height))
        views = images.permute(0, 1, 2, 5, 3, 4).float().to(system.device) / 255.0
        position, quaternion, closedness = (
            torch.from_numpy(
                np.stack([[getattr(seen, name) for seen in future] for future in futures])
            ).float()
            for name in ('position', 'quaternion', 'closedness')
        )
        poses = PoseChunk(position, quaternion_to_matrix(quaternion), closedness)
        score = system.score_pictures(situation, poses.to(system.device), views)
        return [float(value) for value in score.total]


def summarise_choices(seed: int, rows: Sequence[ChoiceRow], total: int) -> dict[str, Any]:
    """Return the result file of the suite; states without a best candidate are not counted."""
    judged = [row for row in rows if row.best is not None]
    candidates = max((len(row.distances_m) for row in judged), default=0)
    counts = [sum(row.best == index for row in judged) for index in range(candidates)]
    constant = counts.index(max(counts)) if counts else 0
    latencies = [row.latency_s for row in judged if row.latency_s is not None]
    return {
        'suite': 'choice',
        'seed': seed,
        'episodes': len(rows),
        'episodes_asked': total,
        'judged': len(judged),
        'candidates': candidates,
        'always_the_same': {
            'candidate': constant,
            **_agreement(judged, [constant] * len(judged)),
        },
        **{
            name: _agreement(judged, [row.chosen.get(name) for row in judged])
            for name in (*CHOOSERS, *([USUAL] if any(USUAL in row.chosen for row in rows) else []))
        },
        'same_as_by_default': _same(rows),
        'best_counts': counts,
        'choice_latency_p50_s': percentile(latencies, 50.0),
        'rows': [asdict(row) for row in rows],
    }


def _same(rows: Sequence[ChoiceRow]) -> dict[str, Any] | None:
    """How often the planner chooses as it would by default; None where nobody asked."""
    both = [row.chosen for row in rows if USUAL in row.chosen and PLANNER in row.chosen]
    if not both:
        return None
    same = sum(chosen[USUAL] == chosen[PLANNER] for chosen in both)
    return {
        'same': same,
        'states': len(both),
        'rate': same / len(both),
        'interval_95': list(exact_interval(same, len(both))),
    }


def _agreement(rows: Sequence[ChoiceRow], choices: Sequence[int | None]) -> dict[str, Any]:
    """How often a chooser takes the best; one that chose nothing disagrees."""
    agreed = sum(choice == row.best for row, choice in zip(rows, choices, strict=True))
    regrets = [
        100.0 * (row.distances_m[choice] - min(row.distances_m))
        for row, choice in zip(rows, choices, strict=True)
        if choice is not None
    ]
    return {
        'agreed': agreed,
        'rate': agreed / len(rows) if rows else None,
        'interval_95': list(exact_interval(agreed, len(rows))),
        'undecided': sum(choice is None for choice in choices),
        'regret_cm': float(np.mean(regrets)) if regrets else None,
        'regret_interval_95_cm': list(bootstrap_interval(regrets)),
    }
