# SPDX-License-Identifier: Apache-2.0
"""A point that moves as it is told, and a planner that knows where to go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.action import PoseChunk
from vidplan_core.data.observation import Observation
from vidplan_core.errors import TargetNotFoundError
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.language.instruction import Instruction
from vidplan_core.planner.motion.committed import chunk_ahead, rests
from vidplan_core.planner.plans.result import PlanResult

PERIOD_S = 0.2
FRAMES = 5
DOWN = np.array([1.0, 0.0, 0.0, 0.0])
STEP_M = 0.08


class FakeWorld:
    """Follows chunks exactly; the flange is at `place`."""

    layout = default_layout()
    period_s = PERIOD_S

    def __init__(self) -> None:
        self.now_s = 0.0
        self.place = np.array([0.4, -0.1, 0.4])
        self.rejections: list[str] = []
        self.executed: list[tuple[float, float, float]] = []
        self.looks: list[float] = []
        self.stopped_at: list[float] = []
        self._path: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def at_rest(self) -> bool:
        return self._path is None or bool(np.abs(self._path[1][-1] - self.place).max() < 1e-3)

    def observe(self) -> Observation:
        self.looks.append(round(self.now_s, 6))
        image = np.full((6, 4, 3), 90, np.uint8)
        zeros = np.zeros(7)
        speed = zeros if self.at_rest else zeros + 0.1
        return Observation(self.now_s, image, zeros, speed, 0.0, self.place.copy(), DOWN)

    def advance_to(self, time_s: float) -> None:
        self.now_s = max(self.now_s, time_s)
        if self._path is not None:
            times, places = self._path
            self.place = np.array([np.interp(self.now_s, times, axis) for axis in places.T])

    def committed(self) -> CommittedMotion:
        times = np.array([self.now_s, self.now_s + 0.1])
        places = np.tile(self.place, (2, 1))
        if not self.at_rest and self._path is not None:
            inner = self._path[0] > self.now_s
            times = np.append(self.now_s, self._path[0][inner])
            places = np.vstack([self.place, self._path[1][inner]])
        turns = np.tile(DOWN, (len(times), 1))
        return CommittedMotion(times, places, turns, np.zeros(len(times)))

    def execute(self, chunk: PoseChunk, observed_s: float, start_s: float) -> bool:
        self.executed.append((round(self.now_s, 6), round(observed_s, 6), round(start_s, 6)))
        times = start_s + PERIOD_S * np.arange(FRAMES)
        path = chunk.position[0].double().numpy()
        self._path = np.append(self.now_s, times), np.vstack([self.place, path])
        return True

    def stop(self) -> None:
        self.stopped_at.append(self.now_s)
        self._path = None


@dataclass
class OracleSystem:
    """Plans straight to `goal`; what it has no business to know, it was told by the test.

    Attributes:
        goal: flange position (3,), m.
        visible: nouns that it finds.
        error: raised at `error_cycle`.
        committed_frames: between an observation and the start of its plan.
    """

    goal: np.ndarray
    visible: tuple[str, ...] = ('carrot',)
    error: Exception | None = None
    error_cycle: int = 1
    committed_frames: int = 2
    stubborn: bool = False
    planned: list[float] = field(default_factory=list)

    def new_task(self, instruction: str, target: str = '') -> Any:
        wanted = target or instruction.removeprefix('move to the ')
        return SimpleNamespace(instruction=Instruction('reach', wanted), cycle=0)

    def plan(
        self,
        task: Any,
        history: list[Observation],
        committed: CommittedMotion | None,
        should_stop: Callable[[], bool],
    ) -> PlanResult:
        target = task.instruction.target
        if target not in self.visible and self.visible:
            raise TargetNotFoundError(f"no view shows '{target}'")
        if self.error is not None and task.cycle == self.error_cycle:
            raise self.error
        present = history[-1]
        self.planned.append(round(present.stamp_s, 6))
        start_s = present.stamp_s + self.committed_frames * PERIOD_S
        assert committed is not None
        start = present.position
        if not rests(committed, start_s):
            start = chunk_ahead(committed, start_s, 1, PERIOD_S).position[0, 0].numpy()
        result = self._result(task.cycle, present, start, start_s)
        task.cycle += 1
        return result

    def _result(
        self, cycle: int, present: Observation, start: np.ndarray, start_s: float
    ) -> PlanResult:
        apart = self.goal - start
        length = float(np.linalg.norm(apart))
        reach = apart * min(1.0, STEP_M / max(length, 1e-9))
        share = torch.linspace(0, 1, FRAMES).double()
        share = (share * share * (3 - 2 * share))[:, None]
        path = (torch.from_numpy(start) + share * torch.from_numpy(reach))[None]
        turn = quaternion_to_matrix(torch.as_tensor(present.quaternion).float())
        chunk = PoseChunk(path.float(), turn.expand(1, FRAMES, 3, 3), torch.zeros(1, FRAMES))
        over = float(np.linalg.norm(self.goal - present.position)) < 0.01
        return PlanResult(
            done=over and not self.stubborn and bool(np.abs(present.dq).max() < 0.02),
            chunk=chunk,
            start_s=start_s,
            candidates=PoseChunk.cat([chunk] * 6),
            scores=[0.0, -1.0, -2.0, -3.0, -4.0, -5.0],
            best=0,
            score=-length,
            terms={'distance_m': length},
            relevancy=np.full((3, 4, 4), 0.5, np.float32),
            target=self.goal,
            distance_m=length,
            latency_s=0.01,
            cycle=cycle,
        )
