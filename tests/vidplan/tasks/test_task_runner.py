# SPDX-License-Identifier: Apache-2.0
"""Every way a task can end: a fake planner, a fake arm and a clock that waits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.fake_planner import PERIOD_S, FakeArm, FakePlanningSystem, observation
from vidplan.tasks import resting, task_runner
from vidplan.tasks.endings import Ending, TaskEnd
from vidplan.tasks.observation_feed import ObservationFeed, WakeEvent
from vidplan.tasks.task import Outcome, Phase, Progress, Request, Timing
from vidplan.tasks.task_runner import TaskContext, TaskRunner
from vidplan_core.data.history import History
from vidplan_core.errors import ModelError, ObservationError

SPEED = 10.0
TICK_S = 1 / 15 / SPEED
LIMIT_S = 30.0


class SteppingEvent(WakeEvent):
    """Lets time pass while somebody waits, and at no other time."""

    def __init__(self, tick: Callable[[], None]) -> None:
        super().__init__()
        self._tick = tick

    def wait(self, timeout_s: float) -> None:
        self._tick()


class Worker(ThreadPoolExecutor):
    """Keeps the plan that is in the making."""

    def __init__(self, system: FakePlanningSystem) -> None:
        super().__init__(1)
        self.system = system
        self.plan: Future[Any] | None = None

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        self.system.works_until_s = -math.inf
        self.plan = super().submit(*args, **kwargs)
        return self.plan

    def think(self, now_s: float) -> None:
        """Return when the plan is done, or has to wait for a later time."""
        while self.plan and not self.plan.done() and now_s >= self.system.works_until_s:
            time.sleep(0.0005)


class Bench:
    """Feeds observations and adapter statuses at 15 Hz of a clock that never overtakes the task.

    Time passes in ticks, in which the task waits and the planner has nothing to do: nothing here
    depends on how fast the machine is. The steady clock runs at a tenth of the node's.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ticks = 0
        for module in (task_runner, resting):
            clock = SimpleNamespace(monotonic=self.steady_s)
            monkeypatch.setattr(module, 'time', clock)
        self.wake = SteppingEvent(self.tick)
        self.feed = ObservationFeed(
            History(3, PERIOD_S), now_s=self.now_s, max_age_s=1.5, max_silence_s=1.0,
            steady_s=self.steady_s,
        )  # fmt: skip
        self.arm = FakeArm(self.now_s, self.steady_s)
        self.system = FakePlanningSystem(steady_s=self.steady_s)
        self.worker = Worker(self.system)
        self.timing = Timing(
            execute_s=0.4, settle_s=0.05, cause_s=0.3, rest_hold_s=0.02, max_rest_s=0.3
        )
        self.errors: list[Exception] = []
        self.progress: list[tuple[Phase, int]] = []
        self.end: TaskEnd | None = None
        self.cameras = self.adapter = True
        self._later: list[tuple[float, Callable[[], None]]] = []

    def steady_s(self) -> float:
        return self._ticks * TICK_S

    def now_s(self) -> float:
        return 100.0 + SPEED * self.steady_s()

    def after(self, delay_s: float, act: Callable[[], None]) -> None:
        """Do something when so much time of the steady clock has passed."""
        self._later.append((self.steady_s() + delay_s, act))

    def tick(self) -> None:
        self.worker.think(self.steady_s())
        self._ticks += 1
        due = [entry for entry in self._later if entry[0] <= self.steady_s()]
        for entry in due:
            self._later.remove(entry)
            entry[1]()
        if self.cameras:
            self.feed.push(observation(self.now_s()))
        if self.adapter:
            self.arm.beat()

    def wait(self, duration_s: float) -> None:
        """Let time of the steady clock pass."""
        for _ in range(math.ceil(duration_s / TICK_S)):
            self.tick()

    def run(
        self,
        instruction: str = 'move to the carrot',
        *,
        target: str = '',
        limit_s: float = LIMIT_S,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> Outcome:
        def tell(progress: Progress) -> None:
            self.progress.append((progress.phase, progress.cycle))
            on_progress(progress)

        context = TaskContext(
            self.system, self.feed, self.arm, self.worker,
            now_s=self.now_s, wake=self.wake, timing=self.timing,
            on_internal_error=self.errors.append,
        )  # fmt: skip
        request = Request(instruction, target, limit_s)
        return TaskRunner(context, request, lambda: self.end, tell).run()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(monkeypatch)
    made.wait(0.1)  # one second of history
    yield made
    made.worker.shutdown()


def while_executing(act: Callable[[], None]) -> Callable[[Progress], None]:
    return lambda progress: act() if progress.phase is Phase.EXECUTING else None


def test_success_after_the_planner_says_done_and_the_arm_rests(bench: Bench) -> None:
    outcome = bench.run()
    assert (outcome.ending, outcome.message) == (Ending.NONE, '')
    assert (outcome.cycles, outcome.score, outcome.target) == (3, 1.0, 'carrot')
    assert len(bench.arm.sent) == 2
    assert bench.arm.report().at_rest
    phases = [phase for phase, _ in bench.progress]
    assert phases[:3] == [Phase.OBSERVING, Phase.PLANNING, Phase.EXECUTING]
    assert phases[-1] is Phase.STOPPING


def test_each_plan_starts_before_the_last_one_ends(bench: Bench) -> None:
    bench.system.cycles = 4
    bench.run()
    starts = [start_s for _, start_s in bench.arm.sent]
    gaps = [later - earlier for earlier, later in zip(starts, starts[1:], strict=False)]
    # A chunk lasts 0.8 s; the next takes over after 0.4 s and a camera period or two.
    assert all(0.3 <= gap <= 0.8 for gap in gaps)


@pytest.mark.parametrize('verb', ['pick up the carrot', 'put the carrot in the bowl'])
@pytest.mark.fault('nonsense')
def test_what_the_models_cannot_do_is_refused_before_any_motion(bench: Bench, verb: str) -> None:
    outcome = bench.run(verb)
    assert outcome.ending is Ending.INVALID_INSTRUCTION
    assert verb in outcome.message
    assert "they can reach ('move to the carrot')" in outcome.message
    assert not bench.arm.sent
    assert not bench.system.calls  # not even a plan was made


def test_an_explicit_target_overrides_the_phrase(bench: Bench) -> None:
    assert bench.run('move to the orange thing there', target='fish').target == 'fish'


@pytest.mark.fault('time_limit')
def test_time_limit(bench: Bench) -> None:
    bench.system.cycles = 1000
    outcome = bench.run(limit_s=2.0)
    assert outcome.ending is Ending.TIME_LIMIT
    assert 2.0 <= outcome.duration_s < 6.0
    assert bench.arm.report().at_rest


@pytest.mark.parametrize('limit_s', [0.0, -1.0, math.nan, math.inf])
@pytest.mark.fault('time_limit')
def test_impossible_time_limit(bench: Bench, limit_s: float) -> None:
    assert bench.run(limit_s=limit_s).ending is Ending.INVALID_TIME_LIMIT
    assert not bench.arm.sent


@pytest.mark.parametrize('ending', [Ending.CANCELED, Ending.PREEMPTED, Ending.SHUTDOWN])
@pytest.mark.fault('cancel', 'preempt', 'server_ends')
def test_interruption_brings_the_arm_to_rest(bench: Bench, ending: Ending) -> None:
    bench.system.cycles = 1000

    def interrupt() -> None:
        bench.end = TaskEnd(ending, 'because')

    outcome = bench.run(on_progress=while_executing(interrupt))
    assert (outcome.ending, outcome.message) == (ending, 'because')
    assert bench.arm.stops >= 1
    assert bench.arm.report().at_rest


def test_interruption_abandons_a_plan_in_the_making(bench: Bench) -> None:
    bench.system.plan_s = 60.0
    bench.after(0.1, lambda: setattr(bench, 'end', TaskEnd(Ending.CANCELED, '')))
    assert bench.run().ending is Ending.CANCELED
    bench.worker.shutdown()
    assert bench.system.abandoned == 1
    assert not bench.arm.sent
    assert bench.arm.stops == 0


@pytest.mark.parametrize('words', ['', 'make me a sandwich', 'do not move to the carrot'])
@pytest.mark.fault('nonsense')
def test_nonsense_does_not_move_the_arm(bench: Bench, words: str) -> None:
    outcome = bench.run(words)
    assert outcome.ending is Ending.INVALID_INSTRUCTION
    assert outcome.message
    assert not bench.arm.sent


@pytest.mark.fault('target')
def test_target_that_nothing_matches_does_not_move_the_arm(bench: Bench) -> None:
    outcome = bench.run('move to the unicorn')
    assert outcome.ending is Ending.TARGET_NOT_FOUND
    assert 'unicorn' in outcome.message
    assert not bench.arm.sent


@pytest.mark.fault('camera_never')
def test_no_observation_ever() -> None:
    bench = Bench.__new__(Bench)
    bench.feed = ObservationFeed(
        History(3, PERIOD_S), now_s=lambda: 5.0, max_age_s=1.5, max_silence_s=1.0
    )
    bench.feed.note_source("view 'wrist' is stale")
    problem = bench.feed.problem()
    assert problem is not None
    assert problem.ending is Ending.NO_OBSERVATION
    assert 'wrist' in problem.message


@pytest.mark.fault('camera_stops')
def test_cameras_stop_in_mid_motion(bench: Bench) -> None:
    bench.system.cycles = 1000

    def pull_the_cable() -> None:
        bench.cameras = False
        # The stitcher tells once a second, after the goal has ended perhaps.
        words = "view 'left' is stale: its newest image is 2 s old"
        bench.after(0.3, lambda: bench.feed.note_source(words))

    outcome = bench.run(on_progress=while_executing(pull_the_cable))
    assert outcome.ending is Ending.STALE_OBSERVATION
    assert "view 'left'" in outcome.message
    assert bench.arm.report().at_rest


@pytest.mark.fault('camera_frozen', 'camera_noise', 'camera_moved')
def test_views_that_are_not_believed_end_the_goal_at_once(bench: Bench) -> None:
    bench.system.cycles = 1000
    words, doubted_s = "view 'left' is frozen", []

    def doubt() -> None:
        doubted_s.append(bench.now_s())
        bench.feed.note_doubt(words)

    outcome = bench.run(on_progress=while_executing(doubt))
    assert (outcome.ending, outcome.message) == (Ending.INVALID_OBSERVATION, words)
    assert bench.arm.report().at_rest
    assert bench.now_s() - doubted_s[0] < 1.0
    bench.feed.note_doubt('')
    assert bench.feed.problem() is None


@pytest.mark.fault('clock_still')
def test_everything_stands_still_with_the_clock() -> None:
    steady_s = [0.0]
    feed = ObservationFeed(
        History(1, PERIOD_S), now_s=lambda: 5.0, max_age_s=1.0, max_silence_s=2.0,
        steady_s=lambda: steady_s[0],
    )  # fmt: skip
    feed.push(observation(5.0))
    assert feed.problem() is None
    steady_s[0] = 2.5
    problem = feed.problem()
    assert problem is not None
    assert problem.ending is Ending.STALE_OBSERVATION


@pytest.mark.fault('camera_size')
def test_unusable_observation(bench: Bench) -> None:
    bench.cameras = False
    bench.feed.reject('encoding yuv422 is not one of rgb8, bgr8')
    outcome = bench.run()
    assert outcome.ending is Ending.INVALID_OBSERVATION
    assert 'yuv422' in outcome.message


@pytest.mark.fault('adapter_killed')
def test_no_adapter(bench: Bench) -> None:
    bench.adapter = False
    bench.arm = FakeArm(bench.now_s, bench.steady_s)
    bench.arm._report = None
    outcome = bench.run()
    assert outcome.ending is Ending.NO_ADAPTER


@pytest.mark.fault('adapter_killed', 'adapter_paused')
def test_adapter_dies_in_mid_motion(bench: Bench) -> None:
    bench.system.cycles = 1000
    bench.system.plan_s = 0.001
    bench.arm.ignores_stop = True

    def die() -> None:
        bench.adapter = False
        bench.arm.beat = lambda: None  # type: ignore[method-assign]

    outcome = bench.run(limit_s=1000.0, on_progress=while_executing(die))
    assert outcome.ending is Ending.NO_ADAPTER
    assert 'did not report rest' in outcome.message


@pytest.mark.fault('adapter_fault')
def test_adapter_fault_in_mid_motion(bench: Bench) -> None:
    bench.system.cycles = 1000

    def break_down() -> None:
        bench.arm.fault = 'TRACKING: joint 4 is 0.3 rad off'

    outcome = bench.run(on_progress=while_executing(break_down))
    assert outcome.ending is Ending.ADAPTER_FAULT
    assert 'joint 4' in outcome.message


@pytest.mark.fault('plans_refused')
def test_plans_that_the_adapter_keeps_refusing(bench: Bench) -> None:
    bench.system.cycles = 1000
    bench.arm.refuses = True
    outcome = bench.run()
    assert outcome.ending is Ending.PLAN_REJECTED
    assert 'JUMP' in outcome.message
    assert len(bench.arm.sent) == bench.timing.max_rejected_plans


def test_next_best_candidate_is_sent_at_once_where_a_motion_is_refused(bench: Bench) -> None:
    bench.system.cycles = 1
    bench.arm.reason = 'UNREACHABLE: pose 3'
    bench.arm.refused_best = (1, 5)  # the best two of the fake planner's
    chosen: list[int] = []
    outcome = bench.run(on_progress=lambda progress: chosen.append(progress.best))
    assert outcome.ending is Ending.NONE
    # The refused plan, the same again (its chunk counts as refined), the second, then the third.
    assert len(bench.arm.sent) == 4
    assert 4 in chosen
    assert len({observed_s for observed_s, _ in bench.arm.sent}) == 1
    assert len(bench.system.calls) == 2


def test_plan_whose_every_candidate_is_refused_counts_once(bench: Bench) -> None:
    bench.system.cycles = 1000
    bench.arm.reason = 'UNREACHABLE: pose 3'
    bench.arm.refuses = True
    outcome = bench.run()
    assert outcome.ending is Ending.PLAN_REJECTED
    assert 'UNREACHABLE' in outcome.message
    assert len(bench.arm.sent) == 7 * bench.timing.max_rejected_plans


def test_progress_tells_how_much_longer_the_arm_takes(bench: Bench) -> None:
    bench.arm.time_ratio = 1.4
    told: list[tuple[int, float]] = []
    bench.run(on_progress=lambda progress: told.append((progress.cycle, progress.time_ratio)))
    assert math.isnan(told[0][1])
    assert (1, 1.4) in told


@pytest.mark.parametrize(
    ('error', 'ending'),
    [
        (ModelError('the rollout is not finite'), Ending.MODEL_ERROR),
        (ObservationError('views of another size'), Ending.INVALID_OBSERVATION),
        (ZeroDivisionError('oops'), Ending.INTERNAL),
    ],
    ids=['model', 'observation', 'unexpected'],
)
@pytest.mark.fault('model_fails', 'camera_size')
def test_planner_fails_in_mid_motion(bench: Bench, error: Exception, ending: Ending) -> None:
    bench.system.error, bench.system.error_cycle = error, 1
    outcome = bench.run()
    assert outcome.ending is ending
    assert str(error) in outcome.message
    assert len(bench.arm.sent) == 1
    assert bench.arm.report().at_rest
    assert bench.errors == ([error] if ending is Ending.INTERNAL else [])


@pytest.mark.fault('model_fails')
def test_score_that_is_not_finite(bench: Bench) -> None:
    bench.system.score = math.nan
    assert bench.run().ending is Ending.MODEL_ERROR
    assert not bench.arm.sent


def test_late_plan_from_rest_starts_later(bench: Bench) -> None:
    bench.system.plan_s, bench.system.lead_s = 0.1, 0.4  # takes 1 s of the fast clock
    bench.system.cycles = 1
    assert bench.run().ending is Ending.NONE
    (observed_s, start_s), *_ = bench.arm.sent
    assert start_s > observed_s + 0.9


@pytest.mark.fault('plans_late')
def test_late_plan_from_motion_is_not_sent(bench: Bench) -> None:
    bench.system.cycles = 1000
    bench.system.lead_s = -10.0  # always due long ago
    bench.arm.until_s = bench.now_s() + 1e6
    bench.arm.beat()
    outcome = bench.run()
    assert outcome.ending is Ending.PLAN_TOO_LATE
    assert not bench.arm.sent


def test_arm_that_does_not_stop_is_told(bench: Bench) -> None:
    bench.arm.ignores_stop = True
    bench.system.lead_s = 50.0
    outcome = bench.run()
    assert outcome.ending is Ending.ADAPTER_FAULT
    assert 'did not report rest' in outcome.message
    assert bench.arm.stops >= 2


def test_the_next_plan_waits_for_the_answer_to_the_last(bench: Bench) -> None:
    bench.system.cycles = 1000
    bench.adapter = False
    silent = bench.arm.beat
    bench.arm.beat = lambda: None  # type: ignore[method-assign]
    bench.after(0.3, silent)
    outcome = bench.run(limit_s=8.0)
    assert outcome.ending is Ending.TIME_LIMIT
    # Three seconds of the fast clock without an answer: the second plan came after them.
    first, second = (observed_s for observed_s, _ in bench.arm.sent[:2])
    assert second - first > 1.5


def test_what_comes_late_at_the_start_is_waited_for(bench: Bench) -> None:
    bench.timing = Timing(execute_s=0.4, settle_s=5.0, rest_hold_s=0.02)
    bench.cameras = False
    bench.wait(0.25)  # observations are stale now
    bench.after(0.2, lambda: setattr(bench, 'cameras', True))
    assert bench.run().ending is Ending.NONE
