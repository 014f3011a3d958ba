# SPDX-License-Identifier: Apache-2.0
"""Every shipped robot's fingers close across the diagonal, with the last joint in its range."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.robot_files import load_robot
from vidplan_core.planner.tasks.folding.way import FoldWay
from vidplan_core.planner.tasks.hand import hand_at, hand_paths


@pytest.mark.parametrize('name', ['fer_hand', 'fr3_hand', 'fr3_robotiq'])
@pytest.mark.parametrize('toward_rad', [-3.0, -1.2, 0.0, 0.5, 1.5, 2.6])
def test_the_hand_turns_until_the_fingers_part_across_the_diagonal(
    name: str, toward_rad: float
) -> None:
    robot = load_robot(name)
    home = torch.tensor(robot.home, dtype=torch.float64)
    position, rotation = flange_pose(home, robot)
    hand = hand_at(position, rotation, 0.0, robot)
    toward = np.array([np.cos(toward_rad), np.sin(toward_rad)])
    way = FoldWay(0.1 * toward, -0.1 * toward)
    # The last joint turns about the tool, which points down at home.
    turn = way.yaw(hand.yaw, hand.home_yaw) - hand.yaw
    q = home - torch.tensor([*[0.0] * 6, turn])
    assert robot.limits.violation(q.numpy()) is None
    position, rotation = flange_pose(q, robot)
    tips = (rotation.numpy() @ np.array(robot.fingertips).T)[:2]
    parted, along = np.ptp(np.array([-toward[1], toward[0]]) @ tips), np.ptp(toward @ tips)
    assert parted > 0.07
    assert along < 0.03
    chunk = PoseChunk(position[None, None], rotation[None, None], position.new_zeros(1, 1))
    assert hand_paths(chunk, robot).yaw[0] == pytest.approx(hand.yaw + turn)
