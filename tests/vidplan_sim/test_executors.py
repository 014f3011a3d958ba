# SPDX-License-Identifier: Apache-2.0
"""Whatever a node has, and whenever it gets or loses it: its callbacks run, and no others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

import rclpy
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.context import Context
from rclpy.node import Node
from std_msgs.msg import Empty
from std_srvs.srv import Trigger

from vidplan_sim.ros.executors import KeepingExecutor, OneThreadExecutor, ThreadsExecutor

pytestmark = pytest.mark.ros

EXECUTORS: dict[str, Callable[[Context], Any]] = {
    'one': lambda context: OneThreadExecutor(context=context),
    'threads': lambda context: ThreadsExecutor(num_threads=3, context=context),
}
LONGEST_S = 20.0


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Iterator[KeepingExecutor]:
    context = Context()
    rclpy.init(context=context, domain_id=73)
    made = EXECUTORS[request.param](context)
    yield made
    nodes = made.get_nodes()
    made.shutdown()
    for node in nodes:
        node.destroy_node()
    context.try_shutdown()


@pytest.fixture
def node(executor: KeepingExecutor) -> Node:
    made = Node('one', context=executor.context)
    executor.add_node(made)
    return made


def spin_until(executor: KeepingExecutor, done: Callable[[], bool]) -> bool:
    deadline_s = time.monotonic() + LONGEST_S
    while not done() and time.monotonic() < deadline_s:
        executor.spin_once(timeout_sec=0.02)
    return done()


def answer(_: Any, response: Trigger.Response) -> Trigger.Response:
    response.success = True
    return response


def test_runs_timers_messages_and_services(executor: KeepingExecutor, node: Node) -> None:
    heard, ticks = [], []
    node.create_subscription(Empty, 'topic', heard.append, 10)
    node.create_service(Trigger, 'service', answer)
    client = node.create_client(Trigger, 'service')
    publisher = node.create_publisher(Empty, 'topic', 10)
    node.create_timer(0.01, lambda: (ticks.append(1), publisher.publish(Empty())))
    future = client.call_async(Trigger.Request())
    assert spin_until(executor, lambda: bool(future.done() and len(heard) > 2 and ticks))
    assert future.result().success


def test_sees_what_a_node_gets_and_loses(executor: KeepingExecutor, node: Node) -> None:
    first, second = [], []
    publisher = node.create_publisher(Empty, 'topic', 10)
    node.create_timer(0.01, lambda: publisher.publish(Empty()))
    gone = node.create_subscription(Empty, 'topic', first.append, 10)
    assert spin_until(executor, lambda: bool(first))
    node.create_subscription(Empty, 'topic', second.append, 10)
    assert spin_until(executor, lambda: bool(second))
    node.destroy_subscription(gone)
    executor.spin_once(timeout_sec=0.02)
    before, heard = len(first), len(second)
    assert spin_until(executor, lambda: len(second) > heard + 3)
    assert len(first) <= before + 1  # one was being delivered


def test_leaves_a_removed_node_alone(executor: KeepingExecutor, node: Node) -> None:
    ticks, others = [], []
    node.create_timer(0.01, lambda: ticks.append(1))
    other = Node('other', context=executor.context)
    other.create_timer(0.01, lambda: others.append(1))
    executor.add_node(other)
    assert spin_until(executor, lambda: bool(ticks and others))
    executor.remove_node(other)
    executor.spin_once(timeout_sec=0.02)
    before, seen = len(others), len(ticks)
    assert spin_until(executor, lambda: len(ticks) > seen + 5)
    assert len(others) <= before + 1
    other.destroy_node()


def test_a_wait_ends_in_time_and_by_a_wake(executor: KeepingExecutor, node: Node) -> None:
    executor.spin_once(timeout_sec=0.0)
    task = executor.create_task(lambda: 7)
    executor.spin_until_future_complete(task, timeout_sec=LONGEST_S)
    assert task.result() == 7


def test_one_group_never_runs_twice_at_a_time(executor: KeepingExecutor, node: Node) -> None:
    running, most = [], []

    def work() -> None:
        running.append(1)
        most.append(len(running))
        time.sleep(0.005)
        running.pop()

    group = MutuallyExclusiveCallbackGroup()
    for _ in range(3):
        node.create_timer(0.001, work, callback_group=group)
    assert spin_until(executor, lambda: len(most) > 20)
    assert max(most) == 1


def test_an_exception_reaches_who_spins(executor: KeepingExecutor, node: Node) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    node.create_timer(0.01, fail, callback_group=ReentrantCallbackGroup())
    with pytest.raises(ZeroDivisionError):
        spin_until(executor, lambda: False)
