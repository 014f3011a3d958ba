# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch

from vidplan_core.geometry.elbow import elbow_drift
from vidplan_core.geometry.fk import jacobian
from vidplan_core.geometry.robot_files import default_robot

ROBOT = default_robot()
START = np.array([0.3, -0.2, -0.3, -2.4, 0.1, 2.2, 0.785])
TIMES = np.linspace(0.004, 0.8, 200)
SPEED = 0.15


def moves(q: np.ndarray) -> np.ndarray:
    return jacobian(torch.from_numpy(q)).numpy()


def test_leaves_the_flange_and_keeps_its_speed() -> None:
    drift = elbow_drift(ROBOT, START, np.zeros(7), TIMES, SPEED)
    np.testing.assert_allclose(moves(START) @ drift.T, 0.0, atol=1e-9)
    speeds = np.abs(np.diff(drift, axis=0, prepend=0.0)) / TIMES[0]
    assert 0.95 * SPEED < speeds.max() <= SPEED
    assert speeds[[0, -1]].max() < 0.02 * SPEED


def test_nears_home_and_stops_there() -> None:
    """With time enough it goes where no free motion brings the angles nearer to home."""
    q = START
    for _ in range(200):
        q = q + elbow_drift(ROBOT, q, np.zeros(7), TIMES, SPEED)[-1]
    assert np.linalg.norm(q - ROBOT.home) < np.linalg.norm(START - ROBOT.home)
    assert np.abs(elbow_drift(ROBOT, q, np.zeros(7), TIMES, SPEED)).max() < 1e-3


@pytest.mark.parametrize('speed', [0.0, SPEED])
def test_goes_on_from_the_present_velocity(speed: float) -> None:
    free = np.linalg.svd(moves(START))[2][-1] * 0.3
    needed = np.linalg.pinv(moves(START)) @ np.array([0.1, 0, 0, 0, 0, 0])
    drift = elbow_drift(ROBOT, START, free + needed, TIMES, speed)
    np.testing.assert_allclose(drift[0] / TIMES[0], free, atol=0.02)
    assert np.abs(drift[-1] - drift[-2]).max() < 1e-4


def test_without_speed_an_arm_at_rest_stays() -> None:
    assert not elbow_drift(ROBOT, START, np.zeros(7), TIMES, 0.0).any()
