# SPDX-License-Identifier: Apache-2.0
"""A robot that kept its acceleration for some cycles is led back without a discontinuity."""

from __future__ import annotations

import numpy as np
import pytest

from vidplan_core.control.franka.gap_bridge import GapBridge

CYCLE_S = 0.001
# What a joint is sent: 0.3 rad to and fro in a second; jerk up to 75 rad/s^3.
WIDTH_RAD, PACE = 0.3, 2 * np.pi


def wanted(time_s: float) -> np.ndarray:
    return np.array([WIDTH_RAD * np.sin(PACE * time_s), 0.0])


def commands(missed: int, bridged: bool = True) -> np.ndarray:
    """What the robot follows, a cycle each (K, 2), where some in the middle are missing."""
    bridge = GapBridge(CYCLE_S)
    found = [wanted(cycle * CYCLE_S) for cycle in range(400)]
    for _ in range(missed):
        velocity = found[-1] - found[-2]
        acceleration = velocity - (found[-2] - found[-3])
        # Its acceleration is that of the last commands, and stays.
        found.append(found[-1] + velocity + acceleration)
    now_s = (len(found) - 1) * CYCLE_S
    q, before, older = found[-1], found[-2], found[-3]
    dq, ddq = (q - before) / CYCLE_S, (q - 2 * before + older) / CYCLE_S**2
    if bridged:
        bridge.begin(now_s, (q, dq, ddq), [wanted(now_s - k * CYCLE_S) for k in range(3)])
    for cycle in range(len(found), 800):
        found.append(wanted(cycle * CYCLE_S) + bridge.sample(cycle * CYCLE_S))
    return np.array(found)


def jerk(positions: np.ndarray) -> float:
    return float(np.abs(np.diff(positions, 3, axis=0)).max()) / CYCLE_S**3


@pytest.mark.parametrize('missed', [1, 3, 10, 19])
def test_no_step_after_missing_commands(missed: int) -> None:
    assert jerk(commands(missed)) < 1500.0
    np.testing.assert_allclose(commands(missed)[-1], wanted(0.799))


def test_without_it_there_is_one() -> None:
    assert jerk(commands(10, bridged=False)) > 5000.0


def test_nothing_missed_is_nothing_changed() -> None:
    np.testing.assert_allclose(commands(0), [wanted(k * CYCLE_S) for k in range(800)], atol=1e-9)


def test_before_anything_was_missed_there_is_no_offset() -> None:
    assert not GapBridge(CYCLE_S).sample(1.0).any()
