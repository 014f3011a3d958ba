# SPDX-License-Identifier: Apache-2.0
"""Real nodes in one process and one executor, with a deadline on every wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile


class Harness:
    """Spins the nodes of a test, collects messages, and takes everything down again."""

    def __init__(self) -> None:
        self.executor = SingleThreadedExecutor()
        self.node = self.add(Node('test'))

    def add(self, node: Any) -> Any:
        self.executor.add_node(node)
        return node

    def collect(self, kind: type, topic: str, profile: QoSProfile | int = 10) -> list[Any]:
        """Return a list that grows by every message on the topic."""
        received: list[Any] = []
        self.node.create_subscription(kind, topic, received.append, profile)
        return received

    def spin_until(self, condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
        """Spin until the condition is true and return it; fail after the timeout."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self.executor.spin_once(timeout_sec=0.02)
            if found := condition():
                return found
        raise AssertionError(f'{condition} not true within {timeout_s} s')

    def spin_for(self, duration_s: float) -> None:
        deadline = time.monotonic() + duration_s
        while time.monotonic() < deadline:
            self.executor.spin_once(timeout_sec=0.01)

    def connect(self, *publishers: Any) -> None:
        """Wait until every publisher has a subscription, so that nothing is lost."""
        self.spin_until(lambda: all(p.get_subscription_count() for p in publishers))

    def call(self, kind: type, name: str, request: Any, timeout_s: float = 60.0) -> Any:
        """Call a service and return its response."""
        client = self.node.create_client(kind, name)
        self.spin_until(client.service_is_ready, timeout_s)
        future = client.call_async(request)
        self.spin_until(future.done, timeout_s)
        return future.result()

    def close(self) -> None:
        for node in self.executor.get_nodes():
            node.destroy_node()
        self.executor.shutdown()


@pytest.fixture
def ros(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """ROS 2 with a Harness, and nothing of it left when the test ends.

    A module's ROS_ARGS, if there are any, are the arguments of its nodes.
    """
    rclpy.init(args=getattr(request.module, 'ROS_ARGS', None))
    harness = Harness()
    yield harness
    harness.close()
    rclpy.try_shutdown()
