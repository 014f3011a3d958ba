# SPDX-License-Identifier: Apache-2.0
"""Lets the simulated cell run as fast as plans are ready in time, whatever the machine."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable

from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient

from vidplan_core.planner.config import PlannerConfig
from vidplan_eval.viz.runlog import RunLog

CELL_NODE, NAME = 'cell', 'real_time_factor'
# The slowest of the last plans should take this share of the time until it is due: one that comes
# too late stops the arm.
SHARE, RECENT = 0.8, 4
# Faster in steps of this factor only; slower at once.
FASTER = 1.25
LEAST = 0.01  # that the cell's parameter may be
MOST = 1.0
# Changes that are smaller than this are not worth a message.
NOTABLE = 0.1
# Simulated time from an observation to where its plan takes over, s.
AHEAD_S = PlannerConfig.committed_frames * RunLog.frame_period_s


def affordable_factor() -> float:
    """How fast simulated time may pass at first, so that a plan is ready before it is due.

    On one core, a plan of reaching takes about 0.7 s and comes 0.4 s of simulated time after its
    observation; rendering, the other nodes and the recording want their share too.
    """
    return min(1.0, len(os.sched_getaffinity(0)) / 12)


def wanted_factor(latency_s: float, ahead_s: float, present: float) -> float:
    """How fast simulated time should pass after a plan.

    Args:
        latency_s: that a plan takes, wall clock.
        ahead_s: simulated time from its observation to where it took over.
        present: factor now.
    """
    if not (latency_s > 0.0 and ahead_s > 0.0 and math.isfinite(latency_s * ahead_s)):
        return present
    in_time = SHARE * ahead_s / latency_s
    return max(LEAST, min(in_time, present * FASTER, MOST))


class CellPace:
    """The pace of one run's cell.

    Attributes:
        factor: simulated seconds per real second, as asked for last.
    """

    def __init__(
        self, factor: float, ask: Callable[[float], object], *, keep: bool = False
    ) -> None:
        """Begin with a factor; with `keep` it is never changed."""
        self.factor, self._ask, self._keep = factor, ask, keep
        self._latencies_s: deque[float] = deque(maxlen=RECENT)

    def note(self, latency_s: float, ahead_s: float = AHEAD_S) -> None:
        """Ask for another pace where a plan took too long, or less than it may."""
        if not latency_s > 0.0:
            return
        self._latencies_s.append(latency_s)
        wanted = wanted_factor(max(self._latencies_s), ahead_s, self.factor)
        if not self._keep and abs(wanted / self.factor - 1.0) >= NOTABLE:
            self.factor = wanted
            self._ask(wanted)


def asks_cell(node: Node) -> Callable[[float], object]:
    """What sets the factor of the cell of a node's namespace; it does not wait for the answer."""
    client = AsyncParameterClient(node, CELL_NODE)

    def ask(factor: float) -> object:
        return client.set_parameters([Parameter(NAME, value=factor)])

    return ask
