# SPDX-License-Identifier: Apache-2.0
"""An arm that follows the adapter perfectly, as the adapter's tests need one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from vidplan_core.control.adapter import ActionAdapter
from vidplan_core.control.commands import PlanCommand, TrajectoryCommand
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.path import JointTrajectoryPlan
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.se3 import matrix_to_quaternion, quaternion_to_matrix
from vidplan_core.planner.motion.hermite import hermite_chunk

NAMES = default_robot().joint_names
START_Q = np.array([0.0, -0.2, 0.0, -2.4, 0.0, 2.2, 0.785])
PERIOD_S = 0.2
FRAMES = 5


class IdealArm:
    """Follows the newest trajectory exactly, from its own desired state."""

    def __init__(self, q: np.ndarray = START_Q) -> None:
        rest = np.zeros_like(q)
        still = np.stack((rest, rest))
        self._path = JointTrajectoryPlan(np.array([0.0, 1.0]), np.stack((q, q)), still, still)
        self._since_s = 0.0

    def accept(self, command: TrajectoryCommand) -> None:
        """Replace what it follows."""
        moment = self.state(command.stamp_s)
        self._path, self._since_s = command.path_from(*moment), command.stamp_s

    def state(self, time_s: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Angles, velocities and accelerations (7,) at a time."""
        return self._path.sample(time_s - self._since_s)

    def tell(self, adapter: ActionAdapter, time_s: float) -> None:
        """Send its joint state."""
        q, dq, _ = self.state(time_s)
        adapter.on_joint_state(time_s, NAMES, q, dq)


def ready(q: np.ndarray = START_Q, **options: object) -> tuple[ActionAdapter, IdealArm]:
    """An adapter that knows its arm, at time 0."""
    adapter, arm = ActionAdapter(**options), IdealArm(q)
    arm.tell(adapter, 0.0)
    return adapter, arm


def plan_from(
    adapter: ActionAdapter,
    now_s: float,
    displacement: tuple[float, float, float],
    start_s: float | None = None,
    closedness: float = 0.0,
    plan_id: int = 1,
) -> PlanCommand:
    """What a planner would send: from the committed motion at `start_s`, smoothly to rest."""
    start_s = now_s if start_s is None else start_s
    motion = adapter.committed(now_s)
    row = int(np.abs(motion.times_s - min(start_s, motion.times_s[-1])).argmin())
    chunk = hermite_chunk(
        torch.from_numpy(motion.position[row]),
        quaternion_to_matrix(torch.from_numpy(motion.quaternion[row])),
        torch.from_numpy(motion.velocity[row]),
        torch.tensor([displacement], dtype=torch.float64),
        torch.zeros(1, 3, dtype=torch.float64),
        closedness,
        FRAMES,
        PERIOD_S,
    )
    return PlanCommand(
        plan_id=plan_id,
        stamp_s=now_s,
        start_s=start_s,
        period_s=PERIOD_S,
        positions=chunk.position[0].numpy(),
        quaternions=matrix_to_quaternion(chunk.rotation[0]).numpy(),
        closedness=chunk.closedness[0].numpy().copy(),
    )


def changed(plan: PlanCommand, **changes: object) -> PlanCommand:
    """A copy of a plan with other fields."""
    return replace(plan, **changes)


def flange(q: np.ndarray) -> np.ndarray:
    """Flange position (3,), m."""
    return flange_pose(torch.from_numpy(q))[0].numpy()
