# SPDX-License-Identifier: Apache-2.0
"""Hears what the node `fci` says of the arm, and asks it to recover."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from std_srvs.srv import Trigger

from vidplan.ros import qos
from vidplan_core.control.franka.recovery import Done, Step
from vidplan_core.control.franka.robot_state import RobotState
from vidplan_core.control.rejection import STALE_ROBOT_STATE

# It speaks a hundred times a second and more; silence is longer than this, s.
_SILENT_S = 0.25


class FciFeed:
    """Keeps the newest state of the arm."""

    def __init__(
        self, node: Node, stop_on_contact: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Hear `fci/state` from a node."""
        self._stop_on_contact, self._clock = stop_on_contact, clock
        self._heard_s, self._values = clock(), {}  # type: tuple[float, dict[str, str]]
        self._refusals: int | None = None
        self._topic = node.create_subscription(
            DiagnosticStatus, 'fci/state', self._on_state, qos.SENSOR
        ).topic_name

    def _on_state(self, message: DiagnosticStatus) -> None:
        self._heard_s = self._clock()
        self._values = {pair.key: pair.value for pair in message.values}

    def fault(self) -> tuple[str, str] | None:
        """Say why the arm does not or must not move, a reason and words; None if it may."""
        if not self._values:
            return None  # where nobody is, nobody listens to commands, and that is named
        silent_s = self._clock() - self._heard_s
        if silent_s > _SILENT_S:
            message = f'no state of the arm for {silent_s:.1f} s on {self._topic}; is fci running?'
            return STALE_ROBOT_STATE, message
        return read_state(self._values).fault(self._stop_on_contact)

    def refusal(self) -> str:
        """Say, once, why a trajectory was refused since the last call; '' if none was."""
        if not self._values:
            return ''
        count = int(self._values['refusals'])
        before, self._refusals = self._refusals, count
        # What was refused before this adapter listened was not its own.
        return self._values['refusal'] if before is not None and count > before else ''


def read_state(values: dict[str, str]) -> RobotState:
    """Return the robot's state of the values of a message."""
    names = (tuple(values[key].split()) for key in ('errors', 'last_errors'))
    felt = (tuple(filter(None, values[key].split(', '))) for key in ('collisions', 'contacts'))
    return RobotState(int(values['mode']), *names, *felt)


def fci_steps(node: Node) -> list[Step]:
    """Return the steps of a recovery."""
    client = node.create_client(Trigger, 'fci/recover')

    def start(done: Done) -> None:
        if not client.service_is_ready():
            done(f'no service {client.srv_name}')
            return

        def on_answer(future: Any) -> None:
            answer = future.result()
            done('' if answer.success else answer.message)

        client.call_async(Trigger.Request()).add_done_callback(on_answer)

    return [Step('error recovery', start, 10.0)]
