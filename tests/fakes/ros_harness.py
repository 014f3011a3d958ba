# SPDX-License-Identifier: Apache-2.0
"""Real nodes in one process and one executor, with a deadline on every wait."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import rclpy
from rclpy.action import ActionClient
from rclpy.clock import ClockType
from rclpy.executors import SingleThreadedExecutor, TimeoutException
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time

from tests.fakes.ros_domain import is_silent

_ROS = ClockType.ROS_TIME

# A server answers into the void while it has not discovered its client's reader, which the client
# cannot see: Fast DDS waits 100 ms for it and then drops the response (ros2/rmw_fastrtps#842).
# So a request is repeated after this long, and a goal waits for discovery before it is sent.
ASK_AGAIN_S = 10.0
DISCOVERY_S = 1.0


class Harness:
    """Spins the nodes of a test, collects messages, and takes everything down again."""

    def __init__(self) -> None:
        self.executor = SingleThreadedExecutor()
        self.action_clients: list[ActionClient] = []
        self.node = self.add(Node('test'))

    def add(self, node: Any) -> Any:
        self.executor.add_node(node)
        return node

    def time_s(self) -> float:
        """Return the time that waits are measured in [s]."""
        return time.monotonic()

    def step(self) -> None:
        """Do what is ready, or wait a moment for it."""
        self.executor.spin_once(timeout_sec=0.01)

    def collect(self, kind: type, topic: str, profile: QoSProfile | int = 10) -> list[Any]:
        """Return a list that grows by every message on the topic."""
        received: list[Any] = []
        self.node.create_subscription(kind, topic, received.append, profile)
        return received

    def action_client(self, kind: type, name: str, discovery_s: float = 0.0) -> ActionClient:
        """Return a client of an action whose server is there.

        Give a server in another process DISCOVERY_S to discover the client, too.
        """
        client = ActionClient(self.node, kind, name)
        self.action_clients.append(client)
        self.spin_until(client.server_is_ready)
        self.spin_for(discovery_s)
        return client

    def spin_until(
        self, condition: Callable[[], Any], timeout_s: float = 60.0, lines: Sequence[str] = ()
    ) -> Any:
        """Spin until the condition is true and return it; fail after the timeout.

        The failure shows the last of `lines`, what processes have printed.
        """
        deadline_s = self.time_s() + timeout_s
        while self.time_s() < deadline_s:
            self.step()
            if found := condition():
                return found
        said = f'{condition} not true within {timeout_s} s'
        raise AssertionError('\n'.join((said, *lines[-40:])))

    def spin_for(self, duration_s: float) -> None:
        deadline_s = self.time_s() + duration_s
        while self.time_s() < deadline_s:
            self.step()

    def connect(self, *publishers: Any) -> None:
        """Wait until every publisher has a subscription, so that nothing is lost."""
        self.spin_until(lambda: all(p.get_subscription_count() for p in publishers))

    def call(self, kind: type, name: str, request: Any, timeout_s: float = 60.0) -> Any:
        """Call a service and return its response; the request may be sent more than once."""
        client = self.node.create_client(kind, name)
        self.spin_until(client.service_is_ready, timeout_s)
        sent = [client.call_async(request)]
        asked_s = self.time_s()

        def answered() -> Any:
            nonlocal asked_s
            if self.time_s() > asked_s + ASK_AGAIN_S:
                sent.append(client.call_async(request))
                asked_s = self.time_s()
            return next((future for future in sent if future.done()), None)

        return self.spin_until(answered, timeout_s).result()

    def close(self) -> None:
        """Take everything down; actions too, which rclpy does not count among a node's parts."""
        nodes = self.executor.get_nodes()
        self.executor.shutdown()
        for client in self.action_clients:
            client.destroy()
        for node in nodes:
            node.destroy_node()


class PacedHarness(Harness):
    """Nodes whose clock stands still while a busy machine does not let them work.

    It passes as fast as real time, in steps, and never before everything that is ready is done:
    an arm that publishes a hundred times a second does so, however slowly the machine runs it.
    Not for nodes that others spin, in a thread or a process of their own.
    """

    STEP_S = 0.01  # as often as the fake arm speaks
    # So many callbacks that a timer which is due again and again cannot hold the clock up.
    MOST = 100

    def __init__(self) -> None:
        self._stepped_s = time.monotonic()
        self._now_ns = time.time_ns()
        super().__init__()

    def add(self, node: Any) -> Any:
        super().add(node)
        node.get_clock().set_ros_time_override(Time(nanoseconds=self._now_ns, clock_type=_ROS))
        node.get_clock()._set_ros_time_is_active(True)
        return node

    def time_s(self) -> float:
        return self._now_ns * 1e-9

    def step(self) -> None:
        if self._work(0.002):
            for _ in range(self.MOST):
                if not self._work(0.0):
                    break
        now_s = time.monotonic()
        self._now_ns += round(min(now_s - self._stepped_s, self.STEP_S) * 1e9)
        self._stepped_s = now_s
        present = Time(nanoseconds=self._now_ns, clock_type=_ROS)
        for node in self.executor.get_nodes():
            node.get_clock().set_ros_time_override(present)

    def _work(self, timeout_s: float) -> bool:
        """Run one callback, and return whether there was one."""
        try:
            handler, *_ = self.executor.wait_for_ready_callbacks(timeout_s, None, lambda: False)
        except TimeoutException:
            return False
        handler()
        handler.result()
        return True


def wait_for_silence(timeout_s: float = 60.0) -> None:
    """Wait until nobody is left in our domain: whoever is half gone answers to no one.

    Raises:
        RuntimeError: somebody is.
    """
    domain = int(os.environ['ROS_DOMAIN_ID'])
    deadline_s = time.monotonic() + timeout_s
    while not is_silent(domain):
        gc.collect()  # a node that was dropped and not destroyed
        if time.monotonic() > deadline_s:
            raise RuntimeError(f'an earlier test left somebody behind in ROS domain {domain}')
        time.sleep(0.05)


def _open(kind: type[Harness], request: pytest.FixtureRequest) -> Iterator[Harness]:
    wait_for_silence()
    rclpy.init(args=getattr(request.module, 'ROS_ARGS', None))
    harness = kind()
    yield harness
    harness.close()
    rclpy.try_shutdown()


@pytest.fixture
def ros(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """ROS 2 with a Harness, and nothing of it left when the test ends.

    A module's ROS_ARGS, if there are any, are the arguments of its nodes.
    """
    yield from _open(Harness, request)


@pytest.fixture
def paced_ros(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """Like `ros`, with nodes that share a clock which waits for them."""
    yield from _open(PacedHarness, request)
