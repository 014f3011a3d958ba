# SPDX-License-Identifier: Apache-2.0
"""What becomes of trajectories that are sent as goals, with a client that answers when told to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from tests.vidplan.robots.fake_robot import HOME
from vidplan.robots.trajectory_action import TrajectoryAction
from vidplan_core.control.commands import NO_PLAN, TrajectoryCommand
from vidplan_core.control.timeline import Follows
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.trajectory import hold

SUCCEEDED, ABORTED = 4, 6


class Promise:
    """A future that is answered later."""

    def __init__(self) -> None:
        self.callback: Any = None
        self.value: Any = None

    def add_done_callback(self, callback: Any) -> None:
        self.callback = callback

    def result(self) -> Any:
        return self.value

    def answer(self, value: Any) -> None:
        self.value = value
        self.callback(self)


class Client:
    """Keeps goals and their promises."""

    _action_name = '/arm/fr3_arm_controller/follow_joint_trajectory'

    def __init__(self) -> None:
        self.goals: list[Any] = []
        self.promises: list[Promise] = []
        self.ready = True

    def server_is_ready(self) -> bool:
        return self.ready

    def send_goal_async(self, goal: Any, feedback_callback: Any) -> Promise:
        self.goals.append(goal)
        self.feedback = feedback_callback
        self.promises.append(Promise())
        return self.promises[-1]


class Bench:
    """An action backend with a client, a clock, and what it was told."""

    def __init__(self) -> None:
        self.client, self.now_s = Client(), 0.0
        self.faults: list[tuple[str, str, Follows]] = []
        node = SimpleNamespace(count_publishers=lambda topic: int(topic.startswith('/arm/')))
        self.arm = TrajectoryAction(
            node, self.client, lambda trajectory: trajectory,
            lambda *fault: self.faults.append(fault), clock=lambda: self.now_s,
        )  # fmt: skip

    def send(self, plan_id: int = 1) -> None:
        names = default_robot().joint_names
        command = TrajectoryCommand.from_path(hold(np.array(HOME)), 5.0, names, plan_id)
        self.arm.send(command)

    def accept(self, index: int) -> Promise:
        """Accept a goal; returns the promise of its result."""
        result = Promise()
        handle = SimpleNamespace(accepted=True, get_result_async=lambda: result)
        self.client.promises[index].answer(handle)
        return result

    def refuse(self, index: int) -> None:
        self.client.promises[index].answer(SimpleNamespace(accepted=False))


def ended(status: int, code: int = 0, words: str = '') -> Any:
    return SimpleNamespace(
        status=status, result=SimpleNamespace(error_code=code, error_string=words)
    )


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_trajectory_that_is_followed_to_its_end_is_no_fault(bench: Bench) -> None:
    bench.send()
    bench.accept(0).answer(ended(SUCCEEDED))
    bench.now_s = 9.0
    bench.arm.poll()
    assert bench.faults == []
    assert bench.client.goals[0].header.stamp.sec == 5
    bench.send(NO_PLAN)
    assert bench.client.goals[1].header.stamp.sec == 0  # a stop begins when it arrives


@pytest.mark.fault('controller_refuses')
def test_a_refused_trajectory_leaves_the_arm_on_the_one_before(bench: Bench) -> None:
    bench.send()
    bench.refuse(0)
    ((reason, message, follows),) = bench.faults
    assert (reason, follows) == ('REFUSED', Follows.BEFORE)
    assert 'refused' in message


def test_nobody_knows_what_is_followed_where_a_later_one_was_sent(bench: Bench) -> None:
    bench.send()
    bench.send()
    bench.refuse(0)
    assert [fault[2] for fault in bench.faults] == [Follows.NOTHING]


@pytest.mark.parametrize(('code', 'words', 'says'), [
    (-4, 'joint 3 is 0.2 rad off', 'PATH_TOLERANCE_VIOLATED: joint 3'),
    (-5, 'joint 2', 'GOAL_TOLERANCE_VIOLATED: joint 2'),
    (0, '', 'deactivated'),
])  # fmt: skip
@pytest.mark.fault('controller_gives_up')
def test_what_was_given_up_is_named(bench: Bench, code: int, words: str, says: str) -> None:
    bench.send()
    bench.accept(0).answer(ended(ABORTED, code, words))
    ((reason, message, follows),) = bench.faults
    assert (reason, follows) == ('ABORTED', Follows.NOTHING)
    assert says in message


def test_a_goal_that_was_replaced_ends_aborted_and_is_no_fault(bench: Bench) -> None:
    bench.send()
    first = bench.accept(0)
    bench.send()
    second = bench.accept(1)
    first.answer(ended(ABORTED))
    assert bench.faults == []
    second.answer(ended(ABORTED, -4, 'off'))
    assert [fault[0] for fault in bench.faults] == ['ABORTED']


@pytest.mark.fault('controller_refuses')
def test_a_controller_that_does_not_answer_is_told_once(bench: Bench) -> None:
    bench.send()
    bench.now_s = 0.29
    bench.arm.poll()
    assert bench.faults == []
    for bench.now_s in (0.31, 0.5):
        bench.arm.poll()
    assert [(fault[0], fault[2]) for fault in bench.faults] == [('REFUSED', Follows.NOTHING)]
    bench.refuse(0)
    assert len(bench.faults) == 1


def test_who_is_there_and_how_far_the_arm_is_off(bench: Bench) -> None:
    assert not bench.arm.problem
    bench.client.ready = False
    assert bench.arm.problem.name == 'NO_CONTROLLER'
    assert bench.client._action_name in bench.arm.problem.message
    assert bench.arm.writers == 2
    bench.send()
    error = SimpleNamespace(positions=[0.01, -0.04])
    bench.client.feedback(SimpleNamespace(feedback=SimpleNamespace(error=error)))
    assert bench.arm.values() == {'controller_error_rad': 0.04}
