# SPDX-License-Identifier: Apache-2.0
"""Cancels goals of a running graph at random moments, and tells how long the arm moves on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState

from vidplan.ros import qos
from vidplan.ros.conversions import seconds
from vidplan.tasks.endings import Ending
from vidplan.tasks.goal_client import GoalClient
from vidplan_msgs.action import PlanTask

Array = NDArray[np.float64]

# Joints faster than the first move, slower than the second rest, rad/s, by their angles over such
# a span, s: a measured velocity may be noise.
_MOVES_RAD_S, _RESTS_RAD_S, _SPAN_S = 0.1, 0.01, 0.05
# A goal is cancelled so long at most after the arm began to move, and watched so long after, s.
_LATEST_S, _AFTER_S = 0.6, 0.3
_CANCELED = Ending.CANCELED.name


@dataclass(frozen=True)
class Cancel:
    """How long the arm moved on after a cancel was sent.

    Attributes:
        own_s: by the stamps of its joint states, s.
        clock_s: by this machine's clock, s; a simulation may be slower.
    """

    own_s: float
    clock_s: float


class Canceller:
    """Sends goals one after the other and cancels each while the arm moves."""

    def __init__(self, node: Node, executor: SingleThreadedExecutor, seed: int) -> None:
        self.client = GoalClient(node, executor)
        self._random = np.random.default_rng(seed)
        # Stamp, time of this machine and fastest joint of the newest joint state.
        self._newest = 0.0, 0.0, 0.0
        self._angles: deque[tuple[float, Array]] = deque()
        self._rested: tuple[float, float] | None = None
        node.create_subscription(JointState, 'joint_states', self._on_joints, qos.SENSOR)

    def _on_joints(self, message: JointState) -> None:
        stamp_s = seconds(message.header.stamp)
        self._angles.append((stamp_s, np.asarray(message.position, np.float64)))
        while self._angles[0][0] < stamp_s - _SPAN_S:
            self._angles.popleft()
        (first_s, first), (_, last) = self._angles[0], self._angles[-1]
        way_rad = float(np.abs(last - first).max(initial=0.0))
        fastest = way_rad / max(stamp_s - first_s, _SPAN_S / 2)
        self._newest = stamp_s, time.monotonic(), fastest
        if fastest > _RESTS_RAD_S:
            self._rested = None
        elif self._rested is None:
            self._rested = self._newest[:2]

    def cancel(self, instruction: str) -> Cancel | None:
        """Cancel one goal in mid motion; None where it ends before that, or otherwise.

        Raises:
            GoalError: nobody takes the goal.
        """
        wait_s = float(self._random.uniform(0.0, _LATEST_S))
        began: list[float] = []
        sent: list[tuple[float, float]] = []

        def is_time() -> bool:
            stamp_s, now_s, fastest = self._newest
            if not began and fastest > _MOVES_RAD_S:
                began.append(now_s)
            # Not between two motions: an arm that rests has nothing to stop.
            if not sent and began and now_s > began[0] + wait_s and fastest > _MOVES_RAD_S:
                sent.append((stamp_s, time.monotonic()))
            return bool(sent)

        goal = PlanTask.Goal(instruction=instruction)
        end = self.client.follow(goal, lambda _: None, is_time, accept_within_s=30.0)
        self.client.spin_until(lambda: self._long_at_rest(), 10.0)
        if not sent or self._rested is None or end.code != _CANCELED:
            return None
        (stamp_s, now_s), (rested_s, rested_now_s) = sent[0], self._rested
        return Cancel(max(0.0, rested_s - stamp_s), max(0.0, rested_now_s - now_s))

    def _long_at_rest(self) -> bool:
        return self._rested is not None and time.monotonic() > self._rested[1] + _AFTER_S


def cancel_goals(
    canceller: Canceller,
    instructions: Sequence[str],
    count: int,
    on_cancel: Callable[[Cancel], None],
) -> list[Cancel]:
    """Cancel so many goals, of several instructions in turn; gives up after twice as many."""
    found: list[Cancel] = []
    for number in range(2 * count):
        if len(found) == count:
            break
        if (cancel := canceller.cancel(instructions[number % len(instructions)])) is not None:
            found.append(cancel)
            on_cancel(cancel)
    return found
