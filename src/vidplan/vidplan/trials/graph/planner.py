# SPDX-License-Identifier: Apache-2.0
"""The real planning server with a planner without models: it moves the flange to and fro."""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from vidplan.planning_server.main import main
from vidplan.planning_server.planning_host import PlanningHost
from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.action import PoseChunk
from vidplan_core.data.observation import Observation
from vidplan_core.errors import ModelError
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.geometry.camera_layout import CameraLayout
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.planner.motion.committed import chunk_ahead, rests
from vidplan_core.planner.plans.result import PlanResult

# Has the next plan fail, and the next callback for an observation.
FAIL, FAIL_CALLBACK = signal.SIGUSR1, signal.SIGUSR2

# A plan begins so long after what it was made from, s; it leads so far, between these, m.
_AHEAD_S, _STEP_M, _Y_M = 0.6, 0.06, 0.12
# Shares of the way at the frames: slow at both ends.
_SHARES = (0.0, 0.16, 0.5, 0.84, 1.0)


@dataclass(frozen=True)
class Surface:
    """What nodes want to know of a world model that is not there."""

    layout: CameraLayout
    history_frames: int = 2
    history_ages: tuple[int, ...] = ()
    frames: int = len(_SHARES)
    frame_period_s: float = 0.2


class ToAndFro:
    """Moves the flange along y, at the height where it is, until somebody ends the task."""

    def __init__(self) -> None:
        self.world_model = self.scorer = SimpleNamespace(config=Surface(default_layout()))
        self.device = torch.device('cpu')
        self._way, self._cycle = 1.0, 0
        self._fails = False

    def fail(self) -> None:
        """Fail once, at the next plan."""
        self._fails = True

    def new_task(self, instruction: str, target: str = '') -> Any:
        """Take any words for a task."""
        self._cycle = 0
        return SimpleNamespace(instruction=SimpleNamespace(target=target, words=instruction))

    def plan(
        self,
        task: Any,
        history: Sequence[Observation],
        committed: CommittedMotion | None,
        should_stop: Callable[[], bool],
    ) -> PlanResult:
        """Return the next part of the way; raises ModelError after `fail`."""
        del task, should_stop
        self._cycle += 1
        if self._fails:
            self._fails = False
            raise ModelError('somebody asked for this')
        start_s = history[-1].stamp_s + _AHEAD_S
        chunk = self._chunk(history[-1], committed, start_s)
        return PlanResult(
            done=False, chunk=chunk, start_s=start_s, candidates=chunk, scores=[0.0], best=0,
            score=0.0, terms={}, relevancy=np.zeros((3, 1, 1)), target=np.zeros(3),
            distance_m=1.0, latency_s=0.0, cycle=self._cycle,
        )  # fmt: skip

    def _chunk(
        self, present: Observation, committed: CommittedMotion | None, start_s: float
    ) -> PoseChunk:
        place = torch.as_tensor(present.position, dtype=torch.float64)
        if committed is not None and not rests(committed, present.stamp_s):
            period_s = self.world_model.config.frame_period_s
            place = chunk_ahead(committed, start_s, 1, period_s).position[0, 0].double()
        if abs(float(place[1])) > _Y_M:
            self._way = -math.copysign(1.0, float(place[1]))
        path = place.repeat(1, len(_SHARES), 1)
        path[..., 1] += self._way * _STEP_M * torch.tensor(_SHARES, dtype=torch.float64)
        rotation = quaternion_to_matrix(torch.as_tensor(present.quaternion))
        shape = (1, len(_SHARES))
        return PoseChunk(path, rotation.expand(*shape, 3, 3), path.new_zeros(shape))


class FailingHost(PlanningHost):
    """Fails once after `fails` was set, where an observation is read and nobody expects it."""

    fails = False

    @property
    def layout(self) -> CameraLayout:
        """As of any host."""
        if self.fails:
            self.fails = False
            raise RuntimeError('somebody asked for this')
        return super().layout

    def fail(self) -> None:
        """Fail once, at the next observation."""
        self.fails = True


def run(args: list[str] | None = None) -> int:
    """Run the server until it is stopped."""
    system: Any = ToAndFro()
    host = FailingHost(load=lambda *_: system)
    signal.signal(FAIL, lambda *_: system.fail())
    signal.signal(FAIL_CALLBACK, lambda *_: host.fail())
    return main(args, host)


if __name__ == '__main__':
    sys.exit(run())
