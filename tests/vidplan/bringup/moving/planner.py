# SPDX-License-Identifier: Apache-2.0
"""The real planning server with a planner that needs no models: it moves the arm for ever."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch

from tests.fakes.fake_models import ServerSystem
from tests.fakes.fake_planner import FRAMES, PERIOD_S, FakePlan, FakeTask
from vidplan.planning_server import main as planning_server
from vidplan.planning_server.planning_host import PlanningHost
from vidplan_core.data.action import PoseChunk
from vidplan_core.data.observation import Observation
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.planner.motion.committed import chunk_ahead, rests

AHEAD_S = 0.6
STEP_M = 0.06
Y_M = (-0.12, 0.12)


class MovingSystem(ServerSystem):
    """Sends the flange to and fro along y, at the height where it is, wherever the target is."""

    def __init__(self) -> None:
        super().__init__()
        self.world_model.config.height, self.world_model.config.width = 96, 160
        self.direction = 1.0

    def plan(
        self,
        task: FakeTask,
        history: Sequence[Observation],
        committed: Any,
        should_stop: Callable[[], bool],
    ) -> FakePlan:
        self.cycles = len(self.calls) + 100
        plan = super().plan(task, history, committed, should_stop)
        present = history[-1]
        start_s = present.stamp_s + AHEAD_S
        chunk = self._chunk(present, committed, start_s)
        return FakePlan(**{**vars(plan), 'chunk': chunk, 'start_s': start_s})

    def _chunk(self, present: Observation, committed: Any, start_s: float) -> PoseChunk:
        place = torch.as_tensor(present.position, dtype=torch.float64)
        if committed is not None and not rests(committed, present.stamp_s):
            place = chunk_ahead(committed, start_s, 1, PERIOD_S).position[0, 0].double()
        if not Y_M[0] < float(place[1]) < Y_M[1]:
            self.direction = -1.0 if place[1] > 0 else 1.0
        path = place.repeat(1, FRAMES, 1)
        # Slow at both ends, as a chunk must be.
        share = torch.tensor([0.0, 0.16, 0.5, 0.84, 1.0], dtype=torch.float64)
        path[..., 1] += self.direction * STEP_M * share
        rotation = quaternion_to_matrix(torch.as_tensor(present.quaternion))
        return PoseChunk(
            path, rotation.expand(1, FRAMES, 3, 3), torch.zeros(1, FRAMES, dtype=torch.float64)
        )


if __name__ == '__main__':
    planning_server.PlanningHost = lambda: PlanningHost(load=lambda *_: MovingSystem())
    sys.exit(planning_server.main())
