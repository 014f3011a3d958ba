# SPDX-License-Identifier: Apache-2.0
"""Joint targets of trajectories, for controllers that take nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from tests.vidplan.robots.fake_robot import HOME
from vidplan.robots.trajectory_stream import TrajectoryStream
from vidplan_core.control.commands import NO_PLAN, TrajectoryCommand, TrajectoryPoint
from vidplan_core.control.rejection import REFUSED
from vidplan_core.control.timeline import Follows
from vidplan_core.geometry.robot_files import default_robot

ROBOT = default_robot()
REST = np.zeros(7)


class FakeNode:
    """A node whose time is set, which keeps what it publishes."""

    def __init__(self) -> None:
        self.now_s = 5.0
        self.targets: list[Any] = []
        self.timer: Any = None

    def create_publisher(self, *_: Any) -> Any:
        return SimpleNamespace(
            publish=self.targets.append, get_subscription_count=lambda: 0, topic_name='/target'
        )

    def create_timer(self, _: float, callback: Any, **__: Any) -> None:
        self.timer = callback

    def get_clock(self) -> Any:
        return SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=round(self.now_s * 1e9)))

    def at(self, now_s: float) -> np.ndarray:
        self.now_s = now_s
        self.timer()
        return np.array(self.targets[-1].position)


def stream() -> tuple[FakeNode, TrajectoryStream, list[Any]]:
    node, faults = FakeNode(), []
    made = TrajectoryStream(
        node, 'target_joint', 100.0, ROBOT.hard_limits,  # type: ignore[arg-type]
        lambda _: SimpleNamespace(q=np.array([HOME])), lambda *words: faults.append(words),
    )  # fmt: skip
    return node, made, faults


def to(away_rad: float, stamp_s: float, duration_s: float) -> TrajectoryCommand:
    point = TrajectoryPoint(duration_s, np.array(HOME) + away_rad, REST, REST)
    return TrajectoryCommand(NO_PLAN, stamp_s, ROBOT.joint_names, (point,))


def test_targets_lead_to_the_end_and_then_end() -> None:
    node, arm, faults = stream()
    node.timer()
    assert not node.targets  # before the first motion the arm is its controller's
    arm.send(to(0.2, 5.0, 1.0))
    np.testing.assert_allclose(node.at(5.0), HOME)
    np.testing.assert_allclose(node.at(5.5), np.array(HOME) + 0.1)
    np.testing.assert_allclose(node.at(6.1), np.array(HOME) + 0.2)
    count = len(node.targets)
    node.at(7.0)
    assert len(node.targets) == count
    assert not faults
    assert tuple(node.targets[-1].name) == ROBOT.joint_names


def test_what_cannot_be_joined_is_a_fault() -> None:
    node, arm, faults = stream()
    arm.send(to(0.2, 5.0, 1.0))
    node.at(5.5)
    arm.send(to(-0.5, 5.5, 0.02))
    ((reason, words, follows),) = faults
    assert (reason, follows) == (REFUSED, Follows.BEFORE)
    assert 'cannot be joined' in words
    np.testing.assert_allclose(node.at(6.1), np.array(HOME) + 0.2)


def test_nobody_who_listens_is_a_problem() -> None:
    assert stream()[1].problem.name == 'NO_CONTROLLER'
