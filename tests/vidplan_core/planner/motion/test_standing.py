# SPDX-License-Identifier: Apache-2.0
"""A hand that stands, while the arm behind it may still move."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.fakes.fake_planner import observation
from vidplan_core.geometry.fk import jacobian
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.planner.motion.standing import REST_M_S, hand_stands

ROBOT = default_robot()
Q = np.array([0.1, -0.5, 0.2, -2.2, 0.1, 1.8, 0.7])


def moving(dq: np.ndarray) -> bool:
    return hand_stands(replace(observation(0.0), q=Q, dq=dq), ROBOT)


def null_space() -> np.ndarray:
    """The joint velocity, of length 1, that leaves the flange where it is."""
    return np.linalg.svd(jacobian(torch.from_numpy(Q), ROBOT).numpy())[2][-1]


@pytest.mark.parametrize('rate', [0.0, 0.2, -0.5])
def test_an_arm_that_turns_around_its_hand_leaves_it_standing(rate: float) -> None:
    assert moving(rate * null_space())


@pytest.mark.parametrize('joint', range(7))
def test_any_single_joint_moves_or_turns_the_hand(joint: int) -> None:
    assert not moving(0.1 * np.eye(7)[joint])
    assert moving(0.1 * REST_M_S * np.eye(7)[joint])
