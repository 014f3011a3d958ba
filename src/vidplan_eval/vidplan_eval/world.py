# SPDX-License-Identifier: Apache-2.0
"""The simulated cell with the action adapter in front of it, in lock-step."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch

from vidplan_core.control.adapter import ActionAdapter
from vidplan_core.control.commands import CommittedMotion, PlanCommand, TrajectoryCommand
from vidplan_core.data.action import PoseChunk
from vidplan_core.data.observation import Observation
from vidplan_core.errors import CommandRejectedError
from vidplan_core.geometry.camera_layout import CameraLayout
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.se3 import matrix_to_quaternion
from vidplan_sim.arm.kinematics import ARM_JOINTS
from vidplan_sim.arm.trajectory_controller import Point
from vidplan_sim.cell import Cell, CellState
from vidplan_sim.scene import Scene

# The adapter node's period: joint states come and due commands go at this rate.
CONTROL_PERIOD_S = 0.02
# Slower than this over a control period, the tool counts as at rest.
REST_M_S = 0.01


class World:
    """What the planner's node sees and does, without ROS: observations in, plans out.

    Everything that moves the arm passes the real adapter and the simulated controller. The
    ground truth is there for judges; no planner gets this object.
    """

    def __init__(self, cell: Cell, layout: CameraLayout, period_s: float) -> None:
        """Use a cell.

        Args:
            cell: any; `reset` sets its scene.
            layout: how the views become one image.
            period_s: time between model frames [s].

        Whoever sets `watch` is called after every control period: judges, that is.
        """
        self.cell, self.layout, self.period_s = cell, layout, period_s
        self.adapter = ActionAdapter()
        self.rejections: list[str] = []
        self.watch: Callable[[], None] = lambda: None
        self._plan_id = 0
        self._tool_speed_m_s = 0.0

    def reset(self, scene: Scene) -> None:
        """Start an episode; the arm stands."""
        self.cell.reset(scene)
        self._begin()

    def restore(self, state: CellState) -> None:
        """Return to a saved moment at which the arm stood."""
        self.cell.restore(state)
        self._begin()

    def _begin(self) -> None:
        self.adapter.reset()
        self.rejections = []
        self._tool_speed_m_s = 0.0
        self.feed()

    @property
    def now_s(self) -> float:
        """Simulated time [s]."""
        return self.cell.time_s

    @property
    def at_rest(self) -> bool:
        """Whether the tool stands, by ground truth."""
        return self._tool_speed_m_s < REST_M_S

    def observe(self) -> Observation:
        """Look through the cameras and feel the joints, now."""
        q, dq = self.cell.q, self.cell.dq
        position, rotation = flange_pose(torch.from_numpy(q))
        return Observation(
            stamp_s=self.now_s,
            image=self.layout.stitch(self.cell.render()),
            q=q,
            dq=dq,
            closedness=self.cell.closedness,
            position=position.numpy(),
            quaternion=matrix_to_quaternion(rotation).numpy(),
        )

    def look(self, times: int) -> list[Observation]:
        """Look that many times, a model frame apart; the arm does what it does."""
        seen = [self.observe()]
        while len(seen) < times:
            self.advance_to(self.now_s + self.period_s)
            seen.append(self.observe())
        return seen

    def advance_to(self, time_s: float) -> None:
        """Let simulated time pass, with the adapter at work; nothing happens for the past."""
        while (left_s := time_s - self.now_s) > 0.5 * self.cell.timestep_s:
            before = self.cell.tcp
            step_s = min(CONTROL_PERIOD_S, left_s)
            self.cell.step(step_s)
            self._tool_speed_m_s = float(np.linalg.norm(self.cell.tcp - before)) / step_s
            self.feed()
            self.watch()

    def branch(self, cell: Cell) -> World:
        """This very moment in another cell, the motion under way included, to look ahead in."""
        cell.restore(self.cell.save())
        other = World(cell, self.layout, self.period_s)
        other.adapter, other._plan_id = copy.deepcopy(self.adapter), self._plan_id
        return other

    def committed(self) -> CommittedMotion:
        """What the arm will do if no more plan comes."""
        return self.adapter.committed(self.now_s)

    def execute(self, chunk: PoseChunk, observed_s: float, start_s: float) -> bool:
        """Hand a chunk (1, frames) to the adapter; returns whether it was accepted.

        Args:
            chunk: flange poses.
            observed_s: when the observation was made that it was planned from [s].
            start_s: when its frame 0 is due [s].
        """
        try:
            self._send(self.command(chunk, observed_s, start_s))
        except CommandRejectedError as error:
            self.rejections.append(str(error))
            return False
        return True

    def command(self, chunk: PoseChunk, observed_s: float, start_s: float) -> TrajectoryCommand:
        """Return what the adapter makes of a chunk (1, frames); raises CommandRejectedError."""
        self._plan_id += 1
        chunk = chunk.detach().to('cpu').to(torch.float64)
        plan = PlanCommand(
            self._plan_id,
            observed_s,
            start_s,
            self.period_s,
            chunk.position[0].numpy(),
            chunk.quaternion[0].numpy(),
            chunk.closedness[0].numpy(),
        )
        return self.adapter.on_plan(plan, self.now_s)

    def stop(self) -> None:
        """Brake to rest."""
        self._send(self.adapter.stop(self.now_s))

    def feed(self) -> None:
        """Tell the adapter the arm's state, and do what it says is due."""
        now_s = self.now_s
        self.adapter.on_joint_state(now_s, ARM_JOINTS, self.cell.q, self.cell.dq)
        self.adapter.on_gripper_state(self.cell.closedness)
        due = self.adapter.poll(now_s)
        if due.trajectory is not None:
            self._send(due.trajectory)
        if due.closedness is not None:
            self.cell.send_gripper(due.closedness)

    def _send(self, command: TrajectoryCommand) -> None:
        points = [
            Point(
                point.q.tolist(), point.dq.tolist(), point.ddq.tolist(), point.time_from_start_s
            )
            for point in command.points
        ]
        self.cell.send_trajectory(command.joint_names, points)
