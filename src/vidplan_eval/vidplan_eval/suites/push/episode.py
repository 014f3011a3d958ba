# SPDX-License-Identifier: Apache-2.0
"""Runs an episode and writes down what came of it: one row of a result file."""

from __future__ import annotations

from dataclasses import dataclass, field

from vidplan_eval.lockstep import Run
from vidplan_eval.suites.judging.judged import CRASHED, GRACE_S, SETTLE_S, run_judged, write_down
from vidplan_eval.suites.push.judge import PushWitness, push_moment
from vidplan_eval.suites.push.methods import PushMethod
from vidplan_eval.suites.push.names import LIMIT_S
from vidplan_eval.suites.push.scenes import PushEpisode
from vidplan_eval.world import World


@dataclass
class PushRow:
    """One episode in the result file; times in simulated seconds unless said otherwise.

    Attributes:
        seed: of the scene.
        instruction: that the planner is given.
        kind: of the thing that is named.
        way: in which it is to be pushed.
        distractors: kinds of the other things.
        success: by ground truth, as all down to `failure`; see `PushVerdict`.
        pushed_s: when it lay where it should, let go.
        kept: whether it does at the end.
        along_m: how far it was pushed, at the end.
        aside_m: how far it lies beside the way, at the end.
        fell: whether it fell over.
        touched_named_first: whether it is the first thing that was touched.
        moved_others: kinds of other things that were moved.
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
    kind: str
    way: str
    distractors: tuple[str, ...] = ()
    success: bool = False
    pushed_s: float | None = None
    kept: bool = False
    along_m: float | None = None
    aside_m: float | None = None
    fell: bool = False
    touched_named_first: bool = False
    moved_others: tuple[str, ...] = ()
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


def run_push(
    method: PushMethod, world: World, episode: PushEpisode, limit_s: float = LIMIT_S
) -> tuple[PushRow, Run | None]:
    """Run an episode and judge it; a crash is a row too, without a run."""
    row = PushRow(
        episode.seed, episode.instruction, episode.kind, episode.way, episode.distractors
    )
    return run_judged(row, world, lambda: _run(method, world, episode, row, limit_s))


def _run(
    method: PushMethod, world: World, episode: PushEpisode, row: PushRow, limit_s: float
) -> Run:
    world.reset(episode.scene)
    witness = PushWitness(push_moment(world.cell), episode.kind, episode.way, limit_s)

    def watch() -> None:
        if witness.due(world.now_s):
            witness.see(push_moment(world.cell))

    world.watch = watch
    run = method.follow(world, episode, lambda: witness.pushed_for(GRACE_S))
    run.log.seed = episode.seed
    world.advance_to(world.now_s + SETTLE_S)
    write_down(row, run, witness.verdict())
    row.rejected = list(world.rejections)
    return run


def row_label(row: PushRow) -> str:
    """The words of a progress line."""
    verdict = 'ok  ' if row.success else 'FAIL'
    words = f'{verdict} {row.seed} {row.kind} {row.way}'
    if row.along_m is not None and row.aside_m is not None:
        words += f', {100 * row.along_m:.1f} cm, {100 * row.aside_m:.1f} cm aside'
    return f'{words} {row.ended}' + (f' ({row.failure})' if row.failure else '')
