# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from vidplan.robots.grippers import ActionGripper, OneAtATime


class SlowHand:
    """Remembers commands; ends one when told to."""

    def __init__(self) -> None:
        self.started: list[float] = []
        self.done: Callable[[], None] = lambda: None

    def start(self, closedness: float, done: Callable[[], None]) -> None:
        self.started.append(closedness)
        self.done = done


def test_one_command_at_a_time_and_the_newest_next() -> None:
    hand = SlowHand()
    queue = OneAtATime(hand.start)
    for closedness in (1.0, 0.0, 0.5, 0.2):
        queue.send(closedness)
    assert hand.started == [1.0]
    hand.done()
    assert hand.started == [1.0, 0.2]
    hand.done()
    queue.send(1.0)
    assert hand.started == [1.0, 0.2, 1.0]


class FakeFuture:
    def __init__(self, value: Any) -> None:
        self.value = value

    def add_done_callback(self, callback: Callable[[FakeFuture], None]) -> None:
        callback(self)

    def result(self) -> Any:
        return self.value


class FakeClient:
    """An action client whose server answers at once."""

    _action_name = 'franka_gripper/grasp'

    def __init__(self, ready: bool, accepted: bool) -> None:
        self.ready, self.accepted = ready, accepted
        self.goals: list[float] = []

    def server_is_ready(self) -> bool:
        return self.ready

    def send_goal_async(self, goal: float) -> FakeFuture:
        self.goals.append(goal)
        return FakeFuture(self)

    def get_result_async(self) -> FakeFuture:
        return FakeFuture(None)


@pytest.mark.ros
@pytest.mark.parametrize(('ready', 'accepted', 'sent'), [
    (True, True, [1.0, 0.0]), (True, False, [1.0, 0.0]), (False, True, [])],
    ids=['works', 'refuses', 'absent'])  # fmt: skip
def test_a_gripper_that_fails_does_not_block_the_next_command(
    ros: Any, ready: bool, accepted: bool, sent: list[float]
) -> None:
    client = FakeClient(ready, accepted)
    gripper = ActionGripper(ros.node, lambda closedness: (client, closedness))
    gripper.send(1.0)
    gripper.send(0.0)
    assert client.goals == sent
