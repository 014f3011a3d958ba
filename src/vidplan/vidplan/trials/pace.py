# SPDX-License-Identifier: Apache-2.0
"""How time passes for nodes of one process."""

from __future__ import annotations

import time
from typing import Any

from rclpy.clock import ClockType
from rclpy.executors import SingleThreadedExecutor, TimeoutException
from rclpy.time import Time

# Time passes in steps of at most so long, s; a message is waited for so long, s.
_STEP_S, _WAIT_S = 0.01, 0.002
# So many callbacks in a step that a timer which is due again and again cannot hold time up.
_MOST = 100


class RealTime:
    """Nodes among processes of their own: time is what the machine's clock says."""

    def __init__(self) -> None:
        self._executor = SingleThreadedExecutor()

    def add(self, node: Any) -> Any:
        """Take care of a node."""
        self._executor.add_node(node)
        return node

    def time_s(self) -> float:
        """Present time, from any start, s."""
        return time.monotonic()

    def step(self) -> None:
        """Do what is ready, or wait a moment for it."""
        self._executor.spin_once(timeout_sec=_STEP_S)

    def end(self) -> None:
        """Destroy the nodes."""
        nodes = self._executor.get_nodes()
        self._executor.shutdown()
        for node in nodes:
            node.destroy_node()


class SharedTime(RealTime):
    """Nodes of one process, whose time stands still while the machine does not let them work.

    It passes as fast as real time at most, and never before all that is ready is done: what is
    measured by it is theirs, and not the doing of other programs.
    """

    def __init__(self) -> None:
        super().__init__()
        self._stepped_s, self._now_ns = time.monotonic(), time.time_ns()

    def add(self, node: Any) -> Any:
        """Take care of a node, and of its clock."""
        self._set(node)
        node.get_clock()._set_ros_time_is_active(True)
        return super().add(node)

    def time_s(self) -> float:
        """Present time, s."""
        return self._now_ns * 1e-9

    def step(self) -> None:
        """Do all that is ready, then let a moment pass."""
        if self._work(_WAIT_S):
            for _ in range(_MOST):
                if not self._work(0.0):
                    break
        now_s = time.monotonic()
        self._now_ns += round(min(now_s - self._stepped_s, _STEP_S) * 1e9)
        self._stepped_s = now_s
        for node in self._executor.get_nodes():
            self._set(node)

    def _set(self, node: Any) -> None:
        present = Time(nanoseconds=self._now_ns, clock_type=ClockType.ROS_TIME)
        node.get_clock().set_ros_time_override(present)

    def _work(self, timeout_s: float) -> bool:
        """Run one callback, and return whether there was one."""
        try:
            handler, *_ = self._executor.wait_for_ready_callbacks(timeout_s, None, lambda: False)
        except TimeoutException:
            return False
        handler()
        handler.result()
        return True
