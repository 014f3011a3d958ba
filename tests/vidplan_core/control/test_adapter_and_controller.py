# SPDX-License-Identifier: Apache-2.0
"""The adapter against a controller with the semantics of ros2_controllers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from tests.vidplan_core.control.arm import NAMES, START_Q, flange, plan_from, ready
from vidplan_core.control.commands import TrajectoryCommand
from vidplan_core.errors import CommandRejectedError
from vidplan_core.geometry.fk import flange_pose, tcp_position
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.workspace import COMMAND_BOX
from vidplan_sim.arm.trajectory_controller import Point, Trajectory, TrajectoryController

FR3_HARD = default_robot().hard_limits
STEP_S = 0.01


@pytest.mark.parametrize('seed', [0, 1])
def test_random_plans_late_plans_and_stops_never_break_a_limit(seed: int) -> None:
    """Fifteen seconds of a planner that is often late, and of an operator who stops it."""
    rng = np.random.default_rng(seed)
    adapter, _ = ready()
    controller = TrajectoryController(NAMES)
    controller.hold(START_Q, 0.0)
    outcomes: Counter[str] = Counter()
    seen, waiting = [], None

    def send(command: TrajectoryCommand, now_s: float) -> None:
        points = [
            Point(
                point.q.tolist(), point.dq.tolist(), point.ddq.tolist(), point.time_from_start_s
            )
            for point in command.points
        ]
        controller.accept(Trajectory(NAMES, points), now_s, *controller.sample(now_s))

    for step in range(1500):
        now_s = step * STEP_S
        q, dq = controller.sample(now_s)
        seen.append((q, dq))
        adapter.on_joint_state(now_s, NAMES, q, dq)
        assert adapter.poll(now_s).trajectory is None
        if rng.random() < 0.005:
            send(adapter.stop(now_s), now_s)
        if waiting is None and rng.random() < 0.08:
            home = flange(START_Q) - adapter.committed(now_s).position[-1]
            goal = 0.5 * home + rng.uniform(-0.08, 0.08, 3)
            start_s = now_s + rng.choice([0.0, 0.2, 0.4])
            plan = plan_from(adapter, now_s, tuple(goal), start_s=start_s, plan_id=step + 1)
            waiting = now_s + rng.uniform(0, 0.3), plan
        if waiting is not None and now_s >= waiting[0]:
            try:
                send(adapter.on_plan(waiting[1], now_s), now_s)
                outcomes['accepted'] += 1
            except CommandRejectedError as error:
                outcomes[error.reason] += 1
            waiting = None

    assert outcomes['accepted'] > 20, outcomes
    q, dq = (np.stack(values) for values in zip(*seen, strict=True))
    ddq = np.diff(dq, axis=0) / STEP_S
    assert FR3_HARD.violation(q, dq) is None
    assert (np.abs(ddq) <= FR3_HARD.acceleration).all()
    tools = tcp_position(*flange_pose(torch.from_numpy(q))).numpy()
    assert COMMAND_BOX.violation(tools, 'the tool at step') is None
