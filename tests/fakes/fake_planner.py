# SPDX-License-Identifier: Apache-2.0
"""A planning system and an arm that do what a test says, with the methods of the real ones."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from vidplan.tasks.arm import ArmReport, ArmStatus
from vidplan_core.data.action import PoseChunk
from vidplan_core.data.observation import Observation
from vidplan_core.errors import TargetNotFoundError
from vidplan_core.language.instruction import Instruction
from vidplan_core.planner.tasks.kinds import read_instruction
from vidplan_core.planner.tasks.reach import Reach

FRAMES = 5
PERIOD_S = 0.2
VIEW = (8, 16)
KINDS = {'reach': Reach(standoff_m=0.06, reached_m=0.025, reached_height_m=0.03)}


def observation(stamp_s: float, x: float = 0.4, view: tuple[int, int] = VIEW) -> Observation:
    """A tiny observation with the flange at (x, 0, 0.4)."""
    image = np.full((3 * view[0], view[1], 3), 100, np.uint8)
    zeros = np.zeros(7)
    return Observation(
        stamp_s, image, zeros, zeros, 0.0, np.array([x, 0.0, 0.4]), np.array([1.0, 0, 0, 0])
    )


@dataclass(frozen=True)
class FakeTask:
    """What `FakePlanningSystem.new_task` makes of an instruction."""

    instruction: Instruction


@dataclass(frozen=True)
class FakePlan:
    """A plan result with the fields of the real one."""

    done: bool
    chunk: PoseChunk
    candidates: PoseChunk
    start_s: float
    scores: list[float]
    best: int
    score: float
    terms: dict[str, float]
    predicted: np.ndarray
    relevancy: np.ndarray
    target: np.ndarray
    latency_s: float
    cycle: int
    heat: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0, 3), np.uint8))
    futures: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0, 3), np.uint8))
    notes: tuple[str, ...] = ()

    def alternatives(self) -> Iterator[FakePlan]:
        """The candidates, best first."""
        for index in np.argsort(self.scores)[::-1].tolist():
            chunk = self.candidates.select(index)
            yield replace(self, chunk=chunk, best=index, score=self.scores[index])


def straight_chunk(position: np.ndarray, step_m: float, candidates: int = 1) -> PoseChunk:
    """Chunks from `position` along +x, the gripper pointing down."""
    path = torch.as_tensor(position, dtype=torch.float32).repeat(candidates, FRAMES, 1)
    path[..., 0] += torch.linspace(0.0, step_m, FRAMES)
    down = torch.diag(torch.tensor([1.0, -1.0, -1.0])).expand(candidates, FRAMES, 3, 3)
    return PoseChunk(path, down, torch.zeros(candidates, FRAMES))


@dataclass
class FakePlanningSystem:
    """Plans along +x; `cycles` says after how many plans it is done.

    Attributes:
        cycles: Plans before the one that says done.
        plan_s: How long a plan takes on the steady clock.
        works_until_s: When the plan in the making will be done.
        error: Raised by the plan of cycle `error_cycle`.
        visible: Targets that are in view.
    """

    cycles: int = 2
    plan_s: float = 0.0
    lead_s: float = 0.4
    error: Exception | None = None
    error_cycle: int = 0
    score: float = 1.0
    visible: tuple[str, ...] = ('carrot', 'fish', 'blue fish')
    calls: list[tuple[float, Any]] = field(default_factory=list)
    abandoned: int = 0
    steady_s: Callable[[], float] = time.monotonic
    works_until_s: float = -math.inf
    planning: threading.Event = field(default_factory=threading.Event)

    def new_task(self, instruction: str, target: str = '') -> FakeTask:
        self.calls.clear()
        return FakeTask(read_instruction(KINDS, instruction, target))

    def plan(
        self,
        task: FakeTask,
        history: Sequence[Observation],
        committed: Any,
        should_stop: Callable[[], bool],
    ) -> FakePlan:
        cycle = len(self.calls)
        self.calls.append((history[-1].stamp_s, committed))
        self.planning.set()
        self._work(should_stop)
        target = task.instruction.target
        if target not in self.visible:
            raise TargetNotFoundError(f"no view shows '{target}'")
        if self.error is not None and cycle == self.error_cycle:
            raise self.error
        return FakePlan(
            done=cycle >= self.cycles and 'blue' not in target,
            chunk=straight_chunk(history[-1].position, 0.04),
            candidates=straight_chunk(history[-1].position, 0.04, 6),
            start_s=history[-1].stamp_s + self.lead_s,
            scores=[0.1, 0.9, 0.2, 0.3, 0.4, 0.5],
            best=1,
            score=self.score,
            terms={'relevancy': 0.8},
            predicted=np.zeros((FRAMES, 3 * VIEW[0], VIEW[1], 3), np.uint8),
            relevancy=np.full((3, 4, 4), 0.5, np.float32),
            target=np.array([0.5, 0.0, 0.03]),
            latency_s=self.plan_s,
            cycle=cycle,
            heat=np.zeros((FRAMES - 1, 3 * VIEW[0], VIEW[1], 3), np.uint8),
            futures=np.zeros((6, 3 * VIEW[0], VIEW[1], 3), np.uint8),
        )

    def _work(self, should_stop: Callable[[], bool]) -> None:
        end_s = self.steady_s() + self.plan_s
        self.works_until_s = end_s
        while self.steady_s() < end_s:
            if should_stop():
                self.abandoned += 1
                return
            time.sleep(0.002)


class FakeArm(ArmStatus):
    """An adapter in this thread: moves while a plan is due, brakes at once when asked."""

    def __init__(self, now_s: Callable[[], float], steady_s: Callable[[], float]) -> None:
        super().__init__(max_silence_s=1.0, steady_s=steady_s)
        self._now = now_s
        self._steady = steady_s
        self.sent: list[tuple[float, float]] = []
        self.stops = 0
        self.until_s = -1.0
        self.fault = ''
        self.refuses = False
        self.reason = 'JUMP: too far'
        self.refused_best: tuple[int, ...] = ()
        self.refused_id = 0
        self.time_ratio = 1.0
        self.ignores_stop = False
        self.beat()

    def send(self, plan: Any, observation_s: float, start_s: float) -> int:
        self.sent.append((observation_s, start_s))
        if plan.best in self.refused_best:
            self.refused_id = len(self.sent)
        elif not self.refuses:
            self.until_s = start_s + (FRAMES - 1) * PERIOD_S
        self.beat()
        return len(self.sent)

    def stop(self) -> None:
        self.stops += 1
        if not self.ignores_stop:
            self.until_s = self._now()
        self.beat()

    def beat(self) -> None:
        """Send one status."""
        refused = len(self.sent) if self.refuses else self.refused_id
        self.update(
            ArmReport(
                at_rest=self.until_s <= self._now(),
                fault=self.fault,
                refusal=self.reason if refused else '',
                active_plan_id=0 if refused == len(self.sent) else len(self.sent),
                rejected_plan_id=refused,
                committed=None,
                rests_at_s=self.until_s,
                heard_s=self._steady(),
                time_ratio=self.time_ratio,
            )
        )
