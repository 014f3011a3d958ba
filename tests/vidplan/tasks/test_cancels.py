# SPDX-License-Identifier: Apache-2.0
"""The time from a cancel to rest, of joint states that a test makes up."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from sensor_msgs.msg import JointState

from vidplan.ros.conversions import stamp
from vidplan.tasks import cancels

TICK_S, SPEED_RAD_S, BRAKE_S = 0.01, 0.5, 0.2


class Graph:
    """An arm that moves while a goal runs, and for BRAKE_S after its cancel; a node of it, too."""

    def __init__(self, moves: bool = True) -> None:
        self.moves, self.time_s, self.angle = moves, 1.0, 0.0

    def create_subscription(self, _: Any, __: str, callback: Any, ___: Any) -> None:
        self.tell = callback

    def tick(self, moving: bool) -> None:
        self.time_s += TICK_S
        self.angle += TICK_S * SPEED_RAD_S * moving
        message = JointState(position=[0.0, self.angle], velocity=[9.0, 9.0])  # noise
        message.header.stamp = stamp(self.time_s)
        self.tell(message)

    def follow(
        self, _: Any, __: Any, should_cancel: Callable[[], bool], **___: float
    ) -> SimpleNamespace:
        for _ in range(50):
            self.tick(self.moves)
            if should_cancel():
                for _ in range(round(BRAKE_S / TICK_S)):
                    self.tick(True)
                return SimpleNamespace(code='CANCELED')
        return SimpleNamespace(code='SUCCESS')

    def spin_until(self, condition: Callable[[], bool], _: float) -> bool:
        for _ in range(1000):
            if condition():
                return True
            self.tick(False)
        return False


def canceller(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> cancels.Canceller:
    monkeypatch.setattr(cancels, 'GoalClient', lambda *_: graph)
    monkeypatch.setattr(cancels, '_LATEST_S', 0.0)
    monkeypatch.setattr(cancels, '_AFTER_S', 0.0)
    return cancels.Canceller(graph, None, 0)


def test_the_time_until_angles_stand_still_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[cancels.Cancel] = []
    graph = Graph()
    found = cancels.cancel_goals(canceller(graph, monkeypatch), ['a', 'b'], 3, kept.append)
    assert found == kept
    np.testing.assert_allclose([one.own_s for one in found], BRAKE_S, atol=0.06)


def test_goals_that_end_before_the_arm_moves_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    still = Graph(moves=False)
    assert cancels.cancel_goals(canceller(still, monkeypatch), ['a'], 2, lambda _: None) == []
