# SPDX-License-Identifier: Apache-2.0
"""Runs an episode and writes down what came of it: one row of a result file."""

from __future__ import annotations

from dataclasses import dataclass, field

from vidplan_eval.lockstep import LEAD_S, Run
from vidplan_eval.suites.judging.judged import CRASHED, GRACE_S, SETTLE_S, run_judged, write_down
from vidplan_eval.suites.pick_place.judge import Witness, true_moment
from vidplan_eval.suites.pick_place.methods import Method
from vidplan_eval.suites.pick_place.names import LIMIT_S
from vidplan_eval.suites.pick_place.scenes import PickPlaceEpisode
from vidplan_eval.world import World


@dataclass
class PickPlaceRow:
    """One episode in the result file; times in simulated seconds unless said otherwise.

    Attributes:
        seed: of the scene.
        task: of the suite.
        target: kind of the named object.
        instruction: that the planner is given.
        distractors: kinds of the others.
        success: by ground truth, as all down to `failure`; see `EpisodeVerdict`.
        placed_s: when the target was placed.
        kept: whether it lies in the bowl at the end.
        first_moved: kinds.
        first_touched: kinds.
        went_for: kind.
        followed: whether that is the named object.
        moved_named: whether the named object was moved first.
        touched_named: whether it was touched first.
        first_lifted: kind.
        lifted_named: whether the named object was lifted.
        wrong_in_bowl: kinds.
        failure: what went wrong, '' for a success.
        ended: how the method ended: DONE, TIME_LIMIT, WATCHED_ENOUGH or an error's code.
        done: whether the method judged itself done.
        done_rightly: whether it did, and was.
        time_s: from the first plan to the end.
        plans: made.
        rejected: plans that the adapter refused.
        latencies_s: wall-clock duration of every plan that chose among candidates.
        latency_p50_s: their median.
        late_plans: how many of them were not ready when they should have taken over.
        noted_plans: plans with a note, such as that a policy server gave no answer.
        note: the first of the notes.
        wall_s: wall-clock time of the episode.
        error: words of an error or a crash.
    """

    seed: int
    task: str
    target: str
    instruction: str
    distractors: tuple[str, ...] = ()
    success: bool = False
    placed_s: float | None = None
    kept: bool = False
    first_moved: tuple[str, ...] = ()
    first_touched: tuple[str, ...] = ()
    went_for: str = ''
    followed: bool = False
    moved_named: bool = False
    touched_named: bool = False
    first_lifted: str = ''
    lifted_named: bool = False
    wrong_in_bowl: tuple[str, ...] = ()
    failure: str = 'crashed'
    ended: str = CRASHED
    done: bool = False
    done_rightly: bool = False
    time_s: float | None = None
    plans: int = 0
    rejected: int = 0
    latencies_s: list[float] = field(default_factory=list)
    latency_p50_s: float | None = None
    late_plans: int = 0
    noted_plans: int = 0
    note: str = ''
    wall_s: float = 0.0
    error: str = ''


def run_pick_place(
    method: Method, world: World, episode: PickPlaceEpisode, limit_s: float = LIMIT_S
) -> tuple[PickPlaceRow, Run | None]:
    """Run an episode and judge it; a crash is a row too, without a run."""
    named = episode.seed, episode.task, episode.kind, episode.instruction
    row = PickPlaceRow(*named, distractors=episode.distractors)
    return run_judged(row, world, lambda: _run(method, world, episode, row, limit_s))


def begin(world: World, episode: PickPlaceEpisode, limit_s: float) -> Witness:
    """Set a world up for an episode; returns who watches the truth in it from now on."""
    world.reset(episode.scene)
    witness = Witness(episode.kind, true_moment(world.cell), limit_s)
    world.watch = lambda: witness.see(true_moment(world.cell))
    return witness


def _run(
    method: Method, world: World, episode: PickPlaceEpisode, row: PickPlaceRow, limit_s: float
) -> Run:
    witness = begin(world, episode, limit_s)
    run = method.follow(world, episode, lambda: witness.placed_for(GRACE_S))
    run.log.seed = episode.seed
    world.advance_to(world.now_s + SETTLE_S)
    write_down(row, run, witness.verdict())
    row.rejected = len(world.rejections)
    _note_plans(row, run)
    return run


def _note_plans(row: PickPlaceRow, run: Run) -> None:
    row.latencies_s = run.latencies_s
    chosen = [plan for plan in run.log.plans if len(plan.scores) > 1]
    row.late_plans = sum(p.latency_s > p.start_s - p.stamp_s - LEAD_S for p in chosen)
    noted = [plan.notes for plan in run.log.plans if plan.notes]
    row.noted_plans, row.note = len(noted), noted[0][0] if noted else ''


def row_label(row: PickPlaceRow) -> str:
    """The words of a progress line."""
    verdict = 'ok  ' if row.success else 'FAIL'
    went_for = 'it' if row.followed else row.went_for or 'nothing'
    words = f'{verdict} {row.seed} {row.target:14s} went for {went_for:14s} {row.ended}'
    return words + (f' ({row.failure})' if row.failure else '')
