# SPDX-License-Identifier: Apache-2.0
"""What a process of an evaluation loads once, and the episodes that it then runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.lockstep import Pace, Run
from vidplan_eval.suites.fold.episode import FoldRow, run_fold
from vidplan_eval.suites.fold.methods import make_fold_method
from vidplan_eval.suites.fold.names import LIMIT_S
from vidplan_eval.suites.fold.scenes import fold_episode
from vidplan_eval.suites.pick_place.episode import SETTLE_S
from vidplan_eval.viz.runlog import RunResult
from vidplan_eval.viz.video import write_run_video
from vidplan_eval.world import World
from vidplan_sim.cell import Cell


@dataclass(frozen=True)
class FoldPiece:
    """One episode: `fold_episode(seed, distractors)`."""

    seed: int
    distractors: int


@dataclass(frozen=True)
class FoldWork:
    """How episodes are run; loads models when it is called.

    Attributes:
        method: one of `names.METHODS`.
        models: folder.
        config: of the planner.
        device: of the models.
        limit_s: simulated time from the first plan to the judgement, s.
        execute_frames: between two plans.
        videos: folder for a video of every episode, None for none.
    """

    method: str
    models: Path
    config: PlannerConfig
    device: str = 'cpu'
    limit_s: float = LIMIT_S
    execute_frames: int = 2
    videos: Path | None = None

    def __call__(self) -> Callable[[FoldPiece], FoldRow]:
        """Load; returns what runs one episode."""
        system = PlanningSystem.load(self.models, self.config, self.device)
        model = system.world_model.config
        pace = Pace(
            model.history_frames,
            execute_frames=self.execute_frames,
            limit_s=self.limit_s - SETTLE_S,
            history_ages=model.history_ages,
        )
        method = make_fold_method(self.method, system, pace)
        world = World(Cell(), model.layout, model.frame_period_s)

        def run(piece: FoldPiece) -> FoldRow:
            row, done = run_fold(
                method, world, fold_episode(piece.seed, piece.distractors), self.limit_s
            )
            if self.videos is not None and done is not None and done.log.seen:
                _film(row, done, self.videos)
            return row

        return run


def _film(row: FoldRow, run: Run, folder: Path) -> None:
    code = 'SUCCESS' if row.success else row.ended
    run.log.result = RunResult(row.success, code, row.failure, row.plans, run.duration_s)
    verdict = 'success' if row.success else 'failure'
    name = f'fold_{len(row.distractors)}_{row.seed}_{verdict}.mp4'
    write_run_video(run.log, folder / name)
