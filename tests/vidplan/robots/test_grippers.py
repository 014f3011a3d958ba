# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
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


@pytest.mark.fault('gripper')
def test_a_command_that_never_ends_is_given_up() -> None:
    """A server that dies in the middle of a goal blocked the gripper for ever."""
    hand, now_s = SlowHand(), [0.0]
    queue = OneAtATime(hand.start, timeout_s=5.0, clock=lambda: now_s[0])
    queue.send(1.0)
    first = hand.done
    queue.send(0.0)
    now_s[0] = 4.9
    assert not queue.overdue()
    now_s[0] = 5.1
    assert queue.overdue()
    assert hand.started == [1.0, 0.0]
    # The answer of the one that was given up does not end the one that runs.
    first()
    queue.send(0.5)
    assert hand.started == [1.0, 0.0]
    hand.done()
    assert hand.started == [1.0, 0.0, 0.5]


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

    def __init__(
        self, ready: bool, accepted: bool, status: int = 4, success: bool = True
    ) -> None:
        self.ready, self.accepted = ready, accepted
        result = SimpleNamespace(success=success, error='' if success else 'it slipped')
        self.answer = SimpleNamespace(status=status, result=result)
        self.goals: list[float] = []

    def server_is_ready(self) -> bool:
        return self.ready

    def send_goal_async(self, goal: float) -> FakeFuture:
        self.goals.append(goal)
        return FakeFuture(self)

    def get_result_async(self) -> FakeFuture:
        return FakeFuture(self.answer)


@pytest.mark.ros
@pytest.mark.parametrize(('ready', 'accepted', 'sent'), [
    (True, True, [1.0, 0.0]), (True, False, [1.0, 0.0]), (False, True, [])],
    ids=['works', 'refuses', 'absent'])  # fmt: skip
@pytest.mark.fault('gripper')
def test_a_gripper_that_fails_does_not_block_the_next_command(
    ros: Any, ready: bool, accepted: bool, sent: list[float]
) -> None:
    client = FakeClient(ready, accepted)
    gripper = ActionGripper(ros.node, lambda closedness: (client, closedness))
    gripper.send(1.0)
    gripper.send(0.0)
    assert client.goals == sent
    assert bool(gripper.problem) is not (ready and accepted)


@pytest.mark.ros
@pytest.mark.parametrize(('status', 'success', 'says'), [
    (4, True, ''), (6, True, 'status 6'), (4, False, 'it slipped')],
    ids=['done', 'aborted', 'missed'])  # fmt: skip
def test_how_a_command_ended_is_told(ros: Any, status: int, success: bool, says: str) -> None:
    client = FakeClient(True, True, status, success)
    gripper = ActionGripper(ros.node, lambda closedness: (client, closedness))
    gripper.send(1.0)
    assert says in gripper.problem
    assert bool(gripper.problem) is bool(says)
