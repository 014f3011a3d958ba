# SPDX-License-Identifier: Apache-2.0
"""What the expert sees of a cell, and what training learns of touching."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidplan_sim.arm.kinematics import forward
from vidplan_sim.cell import Cell
from vidplan_sim.expert.rule import View
from vidplan_sim.expert.script import grasp_yaw
from vidplan_sim.objects.catalogue import kind_named

UPRIGHT = 0.9  # cosine of the tilt up to which an object is grasped at its usual height
LOWEST_GRASP_M = 0.015
FINGERS = ('left_finger', 'right_finger')


@dataclass(frozen=True)
class Touch:
    """held: kind between both fingers, '' for none; kinds: all that the gripper touches."""

    held: str
    kinds: frozenset[str]

    @property
    def contact(self) -> bool:
        """Whether the gripper touches anything."""
        return bool(self.kinds)


def touch(cell: Cell) -> Touch:
    """What the gripper touches, as of the last physics step."""
    found = cell.touched()
    both = sorted(found[FINGERS[0]] & found[FINGERS[1]] - {'bowl'})
    goal, _ = cell.gripper_command
    return Touch(both[0] if both and goal > 0.2 else '', frozenset().union(*found.values()))


def lying_heights(cell: Cell) -> dict[str, float]:
    """Heights of the centres of all objects, m, at the start of an episode."""
    return {kind: float(place[2]) for kind, place in cell.truth().items()}


def view_of(cell: Cell, target: str, lying: dict[str, float]) -> View:
    """The present moment with a target."""
    _, rotation, jacobian = forward(cell.q)
    hand_x = rotation @ np.array([np.cos(np.pi / 4), -np.sin(np.pi / 4), 0.0])
    yaw = float(np.arctan2(hand_x[1], hand_x[0]))
    place, turned = cell.object_pose(target)
    goal, set_point = cell.gripper_command
    return View(
        tool=cell.tcp,
        yaw=yaw,
        target=place,
        grasp=_grasp(cell, target, place, turned),
        grasp_yaw=yaw if kind_named(target).round else grasp_yaw(turned, yaw),
        bowl=cell.truth()['bowl'],
        goal=goal,
        set_point=set_point,
        held=touch(cell).held == target,
        lying_m=lying[target],
        velocity=jacobian[:3] @ cell.dq,
    )


def _grasp(cell: Cell, target: str, place: np.ndarray, turned: np.ndarray) -> np.ndarray:
    """Where the fingers should close, (3,): an object that fell over is grasped at its centre."""
    scale = next(p.scale for p in cell.scene.objects if p.kind == target)
    usual = scale * kind_named(target).grasp_height_m
    standing = usual + place[2] - 0.5 * scale * kind_named(target).height_m
    height = standing if turned[2, 2] > UPRIGHT else place[2]
    return np.array([place[0], place[1], max(height, LOWEST_GRASP_M)])
