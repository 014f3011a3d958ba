# SPDX-License-Identifier: Apache-2.0
"""What a process of an evaluation loads once, and the episodes that it then runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.lockstep import Pace, Run
from vidplan_eval.suites.pick_place.episode import SETTLE_S, PickPlaceRow, run_pick_place
from vidplan_eval.suites.pick_place.methods import make_method
from vidplan_eval.suites.pick_place.names import LIMIT_S
from vidplan_eval.suites.pick_place.scenes import pick_place_episode
from vidplan_eval.viz.runlog import RunResult
from vidplan_eval.viz.video import write_run_video
from vidplan_eval.world import World
from vidplan_sim.cell import Cell


@dataclass(frozen=True)
class PickPlacePiece:
    """One episode: `pick_place_episode(task, seed, distractors)`."""

    task: str
    seed: int
    distractors: int


@dataclass(frozen=True)
class PickPlaceWork:
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

    def __call__(self) -> Callable[[PickPlacePiece], PickPlaceRow]:
        """Load; returns what runs one episode."""
        system = PlanningSystem.load(self.models, self.config, self.device)
        model = system.world_model.config
        pace = Pace(
            model.history_frames,
            execute_frames=self.execute_frames,
            limit_s=self.limit_s - SETTLE_S,
            pictures=self.videos is not None,
            history_ages=model.history_ages,
        )
        method = make_method(self.method, system, pace)
        world = World(Cell(), model.layout, model.frame_period_s)

        def run(piece: PickPlacePiece) -> PickPlaceRow:
            episode = pick_place_episode(piece.task, piece.seed, piece.distractors)
            row, done = run_pick_place(method, world, episode, self.limit_s)
            if self.videos is not None and done is not None and done.log.seen:
                film(row, done, self.videos)
            return row

        return run


def film(row: PickPlaceRow, run: Run, folder: Path) -> Path:
    """Write the video of an episode, named after what came of it."""
    code = 'SUCCESS' if row.success else row.ended
    run.log.result = RunResult(row.success, code, row.failure, row.plans, run.duration_s)
    verdict = 'success' if row.success else 'failure'
    name = f'{row.task}_{len(row.distractors)}_{row.seed}_{verdict}.mp4'
    return write_run_video(run.log, folder / name)
