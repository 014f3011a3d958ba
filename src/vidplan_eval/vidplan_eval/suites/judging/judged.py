# SPDX-License-Identifier: Apache-2.0
"""Episodes that a witness of the truth judges, whatever the task: run, written down, filmed."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Protocol, TypeVar

from vidplan_core.metrics.intervals import percentile
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.lockstep import DONE, Pace, Run
from vidplan_eval.viz.runlog import RunResult
from vidplan_eval.viz.video import write_run_video
from vidplan_eval.world import World
from vidplan_sim.cell import Cell

CRASHED = 'CRASH'
# A method that does not say that it is done is watched for this long after it was: it has to see
# it, to brake, and to see it again at rest.
GRACE_S = 4.0
# The world is watched for this long after the end: what was let go falls, and is looked at twice.
SETTLE_S = 0.8


class JudgedRow(Protocol):
    """What rows of all judged tasks have in common; see those of a task."""

    seed: int
    distractors: tuple[str, ...]
    success: bool
    kept: bool
    failure: str
    ended: str
    error: str
    done: bool
    done_rightly: bool
    time_s: float | None
    plans: int
    latency_p50_s: float | None
    wall_s: float


R = TypeVar('R', bound=JudgedRow)


def run_judged(row: R, world: World, run: Callable[[], Run]) -> tuple[R, Run | None]:
    """Run an episode that fills a row; a crash is a row too, without a run."""
    done, began_s = None, perf_counter()
    try:
        done = run()
    except Exception:  # one broken episode must not cost the others
        row.error = traceback.format_exc(limit=8)
    finally:
        world.watch = lambda: None
    row.wall_s = perf_counter() - began_s
    return row, done


def write_down(row: JudgedRow, run: Run, verdict: object) -> None:
    """Take into a row what its judge says, and how the run went."""
    for name, value in vars(verdict).items():
        setattr(row, name, value)
    row.ended, row.error, row.done = run.reason, run.error, run.reason == DONE
    row.done_rightly = row.done and row.kept
    row.time_s, row.plans = run.duration_s, len(run.log.plans)
    row.latency_p50_s = percentile(run.latencies_s, 50.0)


def film(row: JudgedRow, run: Run, folder: Path, task: str) -> Path:
    """Write the video of an episode, named after what came of it."""
    code = 'SUCCESS' if row.success else row.ended
    run.log.result = RunResult(row.success, code, row.failure, row.plans, run.duration_s)
    verdict = 'success' if row.success else 'failure'
    name = f'{task}_{len(row.distractors)}_{row.seed}_{verdict}.mp4'
    return write_run_video(run.log, folder / name)


@dataclass(frozen=True)
class JudgedWork:
    """How episodes are run, for a process that loads models.

    Attributes:
        method: one of the suite's `names.METHODS`.
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
    device: str
    limit_s: float
    execute_frames: int = 2
    videos: Path | None = None

    def load(self) -> tuple[PlanningSystem, Pace, World]:
        """The models, how the loop is timed, and a world that is seen as they see."""
        system = PlanningSystem.load(self.models, self.config, self.device)
        model = system.world_model.config
        pace = Pace(
            model.history_frames,
            execute_frames=self.execute_frames,
            limit_s=self.limit_s - SETTLE_S,
            pictures=self.videos is not None,
            history_ages=model.history_ages,
        )
        return system, pace, World(Cell(), model.layout, model.frame_period_s)

    def filmed(self, row: R, run: Run | None, task: str) -> R:
        """The row; its run is filmed where videos are asked for."""
        if self.videos is not None and run is not None and run.log.seen:
            film(row, run, self.videos, task)
        return row
