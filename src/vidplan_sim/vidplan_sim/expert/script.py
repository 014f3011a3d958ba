# SPDX-License-Identifier: Apache-2.0
"""A scripted pick-and-place that knows where everything is: a teacher and a yardstick."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vidplan_sim.arm.kinematics import (
    ARM_JOINTS,
    UnreachablePose,
    down_rotation,
    forward,
    solve_ik,
    tcp_to_flange,
)
from vidplan_sim.arm.trajectory_controller import Point
from vidplan_sim.cell import Cell
from vidplan_sim.objects.catalogue import kind_named

SPEED_M_S = 0.25
TURN_SPEED_RAD_S = 1.2
WAYPOINT_S = 0.06
SHORTEST_MOVE_S = 0.4
TRAVEL_HEIGHT_M = 0.20
RELEASE_HEIGHT_M = 0.13
GRIP_S = 0.8
IN_BOWL_RADIUS_M = 0.075
IN_BOWL_HEIGHT_M = 0.11

Step = Callable[[float], None]


def run_expert(cell: Cell, kind: str, *, step: Step | None = None) -> bool:
    """Pick an object and put it into the bowl.

    Args:
        cell: a cell with a scene; time passes in it.
        kind: the object.
        step: called with durations (s) instead of `cell.step`, to record on the way.

    Returns:
        Whether the object ended in the bowl.

    Raises:
        ValueError: the object is not in the scene.
    """
    position, rotation = cell.object_pose(kind)
    step = step or cell.step
    scale = next(p.scale for p in cell.scene.objects if p.kind == kind)
    grasp = np.array([position[0], position[1], scale * kind_named(kind).grasp_height_m])
    yaw = grasp_yaw(rotation, _hand_yaw(cell))
    try:
        _pick(cell, grasp, yaw, step)
        _place(cell, grasp, yaw, step)
    except UnreachablePose:
        return False
    return in_bowl(cell, kind)


def in_bowl(cell: Cell, kind: str) -> bool:
    """Whether an object's centre is inside the bowl's rim and not held above it."""
    truth = cell.truth()
    return lies_in_bowl(truth[kind], truth['bowl'])


def lies_in_bowl(place: np.ndarray, bowl: np.ndarray) -> bool:
    """Whether a centre (3,) is inside the rim of the bowl with centre (3,), base frame, m."""
    gap = place - bowl
    beside = bool(np.hypot(gap[0], gap[1]) < IN_BOWL_RADIUS_M)
    return beside and bool(place[2] < IN_BOWL_HEIGHT_M)


def grasp_yaw(rotation: np.ndarray, near: float) -> float:
    """Hand yaw that closes the fingers across an object's y axis, nearest to `near` (rad)."""
    yaw = float(np.arctan2(rotation[1, 0], rotation[0, 0]))
    turned = yaw + np.pi * np.round((near - yaw) / np.pi)
    # Half a turn gives the same grasp; keep the last joint well inside its range.
    while abs(turned) > np.pi / 2 + 0.2:
        turned -= np.pi * np.sign(turned)
    return float(turned)


def move_tcp(cell: Cell, tcp: np.ndarray, yaw: float, step: Step) -> None:
    """Move the TCP (3,) m in a straight line with the gripper down and wait until it is there.

    Raises:
        UnreachablePose: a point of the line cannot be reached.
    """
    start, start_yaw = cell.tcp, _hand_yaw(cell)
    distance, turn = float(np.linalg.norm(tcp - start)), yaw - start_yaw
    # The smooth profile peaks at 1.875 times its mean speed.
    duration = max(SHORTEST_MOVE_S, 1.875 * distance / SPEED_M_S,
                   1.875 * abs(turn) / TURN_SPEED_RAD_S)
    count = max(4, round(duration / WAYPOINT_S))
    fractions = np.linspace(0.0, 1.0, count + 1)
    profile = 10 * fractions ** 3 - 15 * fractions ** 4 + 6 * fractions ** 5
    path = [cell.q]
    for part in profile[1:]:
        rotation = down_rotation(start_yaw + part * turn)
        at = tcp_to_flange(start + part * (tcp - start), rotation)
        path.append(solve_ik(at, rotation, path[-1]))
    q = np.array(path)
    dq = np.gradient(q, duration / count, axis=0)
    dq[0] = dq[-1] = 0.0
    points = [Point(q[i], dq[i], None, float(fractions[i] * duration))
              for i in range(1, count + 1)]
    cell.send_trajectory(ARM_JOINTS, points)
    step(duration + 0.1)


def _pick(cell: Cell, grasp: np.ndarray, yaw: float, step: Step) -> None:
    cell.send_gripper(0.0)
    move_tcp(cell, _raised(grasp, max(TRAVEL_HEIGHT_M, 0.12 + grasp[2])), yaw, step)
    move_tcp(cell, grasp, yaw, step)
    cell.send_gripper(1.0)
    step(GRIP_S)
    move_tcp(cell, _raised(grasp, TRAVEL_HEIGHT_M), yaw, step)


def _place(cell: Cell, grasp: np.ndarray, yaw: float, step: Step) -> None:
    bowl = cell.truth()['bowl']
    # What hangs below the fingers must clear the rim.
    release = max(RELEASE_HEIGHT_M, 0.075 + grasp[2])
    move_tcp(cell, _raised(bowl, TRAVEL_HEIGHT_M), yaw, step)
    move_tcp(cell, _raised(bowl, release), yaw, step)
    cell.send_gripper(0.0)
    step(GRIP_S)
    move_tcp(cell, _raised(bowl, TRAVEL_HEIGHT_M), yaw, step)


def _raised(point: np.ndarray, height: float) -> np.ndarray:
    return np.array([point[0], point[1], height])


def _hand_yaw(cell: Cell) -> float:
    """Yaw (rad) of the hand's x axis."""
    _, rotation, _ = forward(cell.q)
    hand_x = rotation @ np.array([np.cos(np.pi / 4), -np.sin(np.pi / 4), 0.0])
    return float(np.arctan2(hand_x[1], hand_x[0]))
