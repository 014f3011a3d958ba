# SPDX-License-Identifier: Apache-2.0
"""What the planner expects of motions around the present pose, beside what the simulator says.

The planner is only as good as the top of this landscape: where the predicted best lies far from
the true one, neither more candidates nor more gradient steps help.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vidplan_core.data.action import PoseChunk
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.episode import SuiteEpisode
from vidplan_eval.world import World

# Motions that are imagined together.
BATCH = 64
LONGEST_DELAY_S = 2.0  # between the planned and the true end of a motion


@dataclass(frozen=True)
class Grid:
    """Motions around the present pose, base frame, m.

    Attributes:
        across: offsets along x and along y, the same ones.
        heights: offsets along z; one layer each.
    """

    across: tuple[float, ...]
    heights: tuple[float, ...] = (0.0,)

    @staticmethod
    def around(span_m: float, points: int, heights: Sequence[float] = (0.0,)) -> Grid:
        """`points` offsets from -span to span.

        Raises:
            ValueError: fewer than two points, or no height.
        """
        if points < 2 or not heights:
            raise ValueError(f'a grid needs 2 points and a height, got {points} and {heights}')
        steps = np.linspace(-span_m, span_m, points)
        return Grid(tuple(float(v) for v in steps), tuple(float(v) for v in heights))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Layers, offsets along x, offsets along y."""
        return len(self.heights), len(self.across), len(self.across)

    def motions(self) -> torch.Tensor:
        """All motions (layers * x * y, 3)."""
        axes = [torch.tensor(values) for values in (self.heights, self.across, self.across)]
        z, x, y = torch.meshgrid(*axes, indexing='ij')
        return torch.stack([x, y, z], -1).flatten(0, 2)


@dataclass(frozen=True)
class Landscape:
    """Layers of maps, each (layers, x, y); NaN where the adapter refuses a motion.

    Attributes:
        grid: where.
        predicted: score and terms by name, as the planner sees them.
        true_distance_m: from the tool to the object's centre after executing the motion; None
            where nothing was executed.
        instruction: what was asked.
        target: the named object.
        estimated_target: where the planner locates it, (3,), base frame, m.
    """

    grid: Grid
    predicted: dict[str, np.ndarray]
    true_distance_m: np.ndarray | None
    instruction: str
    target: str
    estimated_target: np.ndarray

    def summary(self) -> dict[str, Any]:
        """How well the predicted order of motions agrees with the true one."""
        if self.true_distance_m is None:
            return {}
        score, truth = self.predicted['score'].ravel(), -self.true_distance_m.ravel()
        known = np.isfinite(score) & np.isfinite(truth)
        chosen, best = (int(np.where(known, v, -np.inf).argmax()) for v in (score, truth))
        motions = self.grid.motions().numpy()
        return {
            'spearman': _rank_correlation(score[known], truth[known]),
            'regret_m': float(truth[best] - truth[chosen]),
            'predicted_best_m': motions[chosen],
            'true_best_m': motions[best],
        }


def survey(
    system: PlanningSystem, world: World, episode: SuiteEpisode, grid: Grid, *, truth: bool = True
) -> Landscape:
    """Predict every motion of a grid from the episode's start, and execute them if asked.

    Raises:
        TargetNotFoundError: no view shows the target.
    """
    world.reset(episode.scene)
    history = world.look(system.world_model.config.history_frames)
    task = system.new_task(episode.instruction)
    here = system.situation(task, history)
    planner = system.planner(task.instruction.verb)
    chunk = planner.motions.chunk(here.start, grid.motions().to(here.start.position))
    predicted: dict[str, list[np.ndarray]] = {}
    for first in range(0, len(chunk), BATCH):
        part = chunk.rows(slice(first, first + BATCH))
        score = planner.evaluate(here, part)
        for name, values in {'score': score.total, **score.terms}.items():
            predicted.setdefault(name, []).append(values.float().cpu().numpy())
    maps = {name: np.concatenate(rows).reshape(grid.shape) for name, rows in predicted.items()}
    distances = _executed(world, chunk, episode.kind).reshape(grid.shape) if truth else None
    return Landscape(
        grid, maps, distances, episode.instruction, episode.kind, here.target.cpu().numpy()
    )


def _executed(world: World, chunk: PoseChunk, kind: str) -> np.ndarray:
    """Distance [m] from the tool to an object's centre after each motion, from one moment."""
    moment = world.cell.save()
    distances = np.full(len(chunk), np.nan)
    for index in range(len(chunk)):
        world.restore(moment)
        start_s = world.now_s
        if world.execute(chunk.select(index), start_s, start_s):
            _finish(world, start_s + (chunk.frames - 1) * world.period_s)
            distances[index] = np.linalg.norm(world.cell.tcp - world.cell.truth()[kind])
    return distances


def _finish(world: World, planned_end_s: float) -> None:
    """Let a motion end: the adapter slows one that is too fast for the arm's limits."""
    world.advance_to(planned_end_s)
    while not world.at_rest and world.now_s < planned_end_s + LONGEST_DELAY_S:
        world.advance_to(world.now_s + world.period_s)


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's correlation; ties share their mean rank."""
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)
