# SPDX-License-Identifier: Apache-2.0
"""Random states of the arm and random motions from them, for measurements of the adapter.

Nothing here uses the adapter's inverse kinematics: what can be followed is found by another way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, make_interp_spline
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import (
    damped_velocity,
    flange_pose,
    pose_and_jacobian,
    tcp_position,
)
from vidplan_core.geometry.path import JointTrajectoryPlan
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.se3 import so3_exp, so3_log
from vidplan_core.geometry.workspace import COMMAND_BOX, FLANGE_BOX, PLANNING_BOX, WorkspaceBox
from vidplan_core.planner.motion.hermite import hermite_chunk

Array = NDArray[np.float64]

FRAMES, PERIOD_S = 5, 0.2

# Where the tool starts: the planning box less the length of a motion.
_START_BOX = WorkspaceBox((0.36, -0.28, 0.04), (0.66, 0.28, 0.42))
_YAW_RAD = 0.8
# Standard deviation of the posture that a start is pulled to around home, rad.
_POSTURE_RAD = 0.35
# Distance that a start keeps from the ends of the joints, rad.
_MARGIN_RAD = 0.1
# A start whose tool is farther than this from where it was sought is none, m.
_MISSED_M = 0.01
# Starts that are sought at a time.
_DRAWS = 32
# Fastest flange at a start in motion, m/s.
_SPEED_M_S = 0.15
# Speeds of the elbow at half time that a search for a joint motion tries, rad/s.
_ELBOW_RAD_S = (0.0, 0.15, -0.15, 0.3, -0.3, 0.6, -0.6)
_SUBSTEPS = 4
# What the way between two frames may need of the boxes that commands are checked against, m.
_ROOM_M = 0.005


@dataclass(frozen=True, eq=False)
class ArmStart:
    """Where a motion starts: joint angles (7,), rad, and velocities (7,), rad/s."""

    q: Array
    dq: Array

    def flange(self, robot: RobotModel) -> tuple[Tensor, Tensor, Tensor]:
        """Position (3,), rotation (3, 3) and linear velocity (3,) of the flange."""
        position, rotation, jacobian = pose_and_jacobian(torch.from_numpy(self.q), robot)
        return position, rotation, (jacobian @ torch.from_numpy(self.dq))[:3]


class RandomMotions:
    """Draws starts and motions; equal seeds draw equal ones."""

    def __init__(self, robot: RobotModel, seed: int) -> None:
        self.robot, self._random = robot, np.random.default_rng(seed)
        self._postures: list[Array] = []

    def start(self, *, moving: bool = False) -> ArmStart:
        """An arm with the gripper down, the tool anywhere over the table and the elbow anyhow."""
        while not self._postures:
            self._postures = self._draw_postures()
        q = self._postures.pop()
        if not moving:
            return ArmStart(q, np.zeros_like(q))
        jacobian = pose_and_jacobian(torch.from_numpy(q), self.robot)[2]
        way = self._random.normal(size=3)
        speed = self._random.uniform(0, _SPEED_M_S) * way / np.linalg.norm(way)
        twist = torch.from_numpy(np.concatenate((speed, np.zeros(3))))
        return ArmStart(q, damped_velocity(jacobian, twist, 1e-3).numpy())

    def _draw_postures(self) -> list[Array]:
        """Joint angles of random poses, by Gauss-Newton steps; what ends nowhere is left out."""
        home = torch.tensor(self.robot.home, dtype=torch.float64)
        goal = torch.from_numpy(
            self._random.uniform(_START_BOX.lower, _START_BOX.upper, (_DRAWS, 3))
        )
        turns = torch.stack([self._yaw() for _ in range(_DRAWS)])
        rotation = so3_exp(turns) @ torch.diag(home.new_tensor([1.0, -1.0, -1.0]))
        noise = self._random.normal(size=(_DRAWS, len(home)))
        posture = home + torch.from_numpy(_POSTURE_RAD * noise)
        q = home.expand(_DRAWS, -1)
        for _ in range(60):
            position, turned, jacobian = pose_and_jacobian(q, self.robot)
            tool = tcp_position(position, turned, self.robot)
            turn = so3_log(rotation @ turned.mT)
            shift = goal - tool - torch.linalg.cross(turn, tool - position)
            step = damped_velocity(jacobian, torch.cat((shift, turn), -1), 0.02)
            free = posture - q
            along = (jacobian @ free[..., None])[..., 0]
            free = free - damped_velocity(jacobian, along, 1e-3)
            q = q + step.clamp(-0.3, 0.3) + 0.2 * free
        missed = (tcp_position(*flange_pose(q, self.robot), self.robot) - goal).norm(dim=-1)
        lower, upper = self.robot.limits.lower + _MARGIN_RAD, self.robot.limits.upper - _MARGIN_RAD
        return [
            angles
            for angles, away in zip(q.numpy(), missed.tolist(), strict=True)
            if away < _MISSED_M and (angles > lower).all() and (angles < upper).all()
        ]

    def _yaw(self) -> Tensor:
        return torch.tensor([0.0, 0.0, self._random.uniform(-_YAW_RAD, _YAW_RAD)]).double()

    def chunk(self, start: ArmStart) -> PoseChunk:
        """A chunk (1, FRAMES) to somewhere within 10 cm, mostly downwards, that turns the hand."""
        position, rotation, velocity = start.flange(self.robot)
        motion = self._random.uniform([-0.1, -0.1, -0.12], [0.1, 0.1, 0.04])
        return hermite_chunk(
            position, rotation, velocity, torch.from_numpy(motion)[None], self._yaw()[None], 0.0,
            FRAMES, PERIOD_S,
        )  # fmt: skip


def in_boxes(chunk: PoseChunk, robot: RobotModel) -> bool:
    """Whether a chunk (1, frames) ends where plans may and stays where commands may."""
    tools = tcp_position(chunk.position[0], chunk.rotation[0], robot)
    found = (
        PLANNING_BOX.violation(tools[-1:].numpy(), 'tool'),
        _shrunk(COMMAND_BOX).violation(tools.numpy(), 'tool'),
        _shrunk(FLANGE_BOX).violation(chunk.position[0].numpy(), 'flange'),
    )
    return not any(found)


def _shrunk(box: WorkspaceBox) -> WorkspaceBox:
    x, y, z = (low + _ROOM_M for low in box.lower)
    a, b, c = (high - _ROOM_M for high in box.upper)
    return WorkspaceBox((x, y, z), (a, b, c))


def can_follow(robot: RobotModel, start: ArmStart, chunk: PoseChunk) -> bool:
    """Whether some joint motion puts the flange at every frame in time and keeps the limits.

    Joint paths are integrated finely with the pseudo-inverse, the elbow turning at one of a few
    speeds; a spline through their angles at the frames must keep `robot.limits` everywhere.
    """
    times = chunk_times(chunk.frames)
    for angles in _joint_paths(robot, start, chunk).numpy():
        rest = np.zeros_like(start.dq)
        ends = [(1, start.dq), (2, rest)], [(1, rest), (2, rest)]
        spline = make_interp_spline(times, angles, k=5, bc_type=ends)
        path = JointTrajectoryPlan(times, angles, spline(times, 1), spline(times, 2))
        if path.violation(robot.limits) is None:
            return True
    return False


def chunk_times(frames: int) -> Array:
    """When frames are due, s after frame 0."""
    return PERIOD_S * np.arange(frames, dtype=np.float64)


def _joint_paths(robot: RobotModel, start: ArmStart, chunk: PoseChunk) -> Tensor:
    """Angles (paths, frames, 7) at the frames of a chunk (1, frames), accurate to 1 mm."""
    times = chunk_times(chunk.frames)
    fine = np.linspace(0, times[-1], (chunk.frames - 1) * _SUBSTEPS + 1)
    velocity = start.flange(robot)[2].numpy()
    places = CubicSpline(
        times, chunk.position[0].numpy(), bc_type=((1, velocity), (1, np.zeros(3)))
    )(fine)
    turns = so3_log(chunk.rotation[0] @ chunk.rotation[0, 0].mT).numpy()
    rest = (1, np.zeros(3))
    turned = so3_exp(torch.from_numpy(CubicSpline(times, turns, bc_type=(rest, rest))(fine)))
    turned = turned @ chunk.rotation[0, 0]
    elbow = torch.tensor(_ELBOW_RAD_S, dtype=torch.float64)
    q = torch.from_numpy(start.q).expand(len(elbow), -1)
    step_s, found = fine[1], [q]
    for index in range(1, len(fine)):
        position, rotation, jacobian = pose_and_jacobian(q, robot)
        error = torch.cat(
            (torch.from_numpy(places[index]) - position, so3_log(turned[index] @ rotation.mT)), -1
        )
        swing = np.sin(np.pi * fine[index] / fine[-1]) ** 2
        free = torch.linalg.svd(jacobian).Vh[:, -1]
        free = free * torch.sign(free[:, :1] + 1e-12)
        q = q + damped_velocity(jacobian, error, 1e-3) + (elbow * swing * step_s)[:, None] * free
        if index % _SUBSTEPS == 0:
            found.append(q)
    return torch.stack(found, 1)
