# SPDX-License-Identifier: Apache-2.0
"""Runs an episode and writes down what came of it: one row of a result file."""

from __future__ import annotations

from dataclasses import dataclass, field

from vidplan_eval.lockstep import Run
from vidplan_eval.suites.fold.judge import FoldWitness, towel_moment
from vidplan_eval.suites.fold.methods import FoldMethod
from vidplan_eval.suites.fold.names import LIMIT_S
from vidplan_eval.suites.fold.scenes import FoldEpisode
from vidplan_eval.suites.judging.judged import CRASHED, GRACE_S, SETTLE_S, run_judged, write_down
from vidplan_eval.world import World


@dataclass
class FoldRow:
    """One episode in the result file; times in simulated seconds unless said otherwise.

    Attributes:
        seed: of the scene.
        instruction: that the planner is given.
        distractors: kinds of the other things.
        success: by ground truth, as all down to `failure`; see `FoldVerdict`.
        folded_s: when the towel was folded and let go.
        kept: whether it is at the end.
        fold: 'diagonal' or 'middle', whatever it comes nearer to.
        corner_error_m: at the end.
        overlap: with the ideal half, at the end.
        released: whether nothing of the gripper touches it at the end.
        failure: what went wrong, '' for a success.
        ended: how the method ended: DONE, TIME_LIMIT, WATCHED_ENOUGH or an error's code.
        done: whether the method judged itself done.
        done_rightly: whether it did, and was.
        time_s: from the first plan to the end.
        plans: made.
        rejected: plans that the adapter refused.
        latency_p50_s: median wall-clock duration of plans that chose among candidates.
        wall_s: wall-clock time of the episode.
        error: words of an error or a crash.
    """

    seed: int
    instruction: str
    distractors: tuple[str, ...] = ()
    success: bool = False
    folded_s: float | None = None
    kept: bool = False
    fold: str = ''
    corner_error_m: float | None = None
    overlap: float | None = None
    released: bool = False
    failure: str = 'crashed'
    ended: str = CRASHED
    done: bool = False
    done_rightly: bool = False
    time_s: float | None = None
    plans: int = 0
    rejected: list[str] = field(default_factory=list)
    latency_p50_s: float | None = None
    wall_s: float = 0.0
    error: str = ''


def run_fold(
    method: FoldMethod, world: World, episode: FoldEpisode, limit_s: float = LIMIT_S
) -> tuple[FoldRow, Run | None]:
    """Run an episode and judge it; a crash is a row too, without a run."""
    row = FoldRow(episode.seed, episode.instruction, episode.distractors)
    return run_judged(row, world, lambda: _run(method, world, episode, row, limit_s))


def _run(
    method: FoldMethod, world: World, episode: FoldEpisode, row: FoldRow, limit_s: float
) -> Run:
    world.reset(episode.scene)
    witness = FoldWitness(towel_moment(world.cell), limit_s)

    def watch() -> None:
        if witness.due(world.now_s):
            witness.see(towel_moment(world.cell))

    world.watch = watch
    run = method.follow(world, episode, lambda: witness.folded_for(GRACE_S))
    run.log.seed = episode.seed
    world.advance_to(world.now_s + SETTLE_S)
    write_down(row, run, witness.verdict())
    row.rejected = list(world.rejections)
    return run


def row_label(row: FoldRow) -> str:
    """The words of a progress line."""
    verdict = 'ok  ' if row.success else 'FAIL'
    if row.corner_error_m is None or row.overlap is None:
        return f'{verdict} {row.seed} {row.ended} ({row.failure})'
    ended = f'{row.fold}, {100 * row.corner_error_m:.1f} cm, overlap {row.overlap:.2f}'
    words = f'{verdict} {row.seed} {ended} {row.ended}'
    return words + (f' ({row.failure})' if row.failure else '')
