# SPDX-License-Identifier: Apache-2.0
"""Where plans come in: as bytes, from one planner, in order."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node

from vidplan.robots.adapter_status import Incident
from vidplan.ros import qos
from vidplan.tasks.plan_gate import PlanGate, read_plan
from vidplan_core.errors import CommandRejectedError
from vidplan_msgs.msg import Plan


class PlanIntake:
    """Subscribes to plans and knows who publishes them."""

    def __init__(
        self,
        node: Node,
        gate: PlanGate,
        on_plan: Callable[[Plan], None],
        on_refusal: Callable[[Incident], None],
    ) -> None:
        """Hand over what can be read, and what was wrong with what cannot."""
        self._node, self.gate = node, gate
        self._on_plan, self._on_refusal = on_plan, on_refusal
        # As bytes: whoever sends a huge plan must not keep the watchdog waiting.
        self._plans = node.create_subscription(Plan, 'plan', self._read, qos.COMMAND, raw=True)

    def _read(self, data: bytes) -> None:
        try:
            message = read_plan(data)
        except CommandRejectedError as error:
            self._on_refusal(Incident.of(error))
        else:
            self._on_plan(message)

    def require(self, plan: Plan, now_s: float) -> None:
        """Raise CommandRejectedError for a plan of somebody else, or out of order."""
        self.gate.check_writers(self._writers())
        self.gate.check(plan, now_s)

    def on_accepted(self, plan: Plan) -> None:
        """Take plans from the same planner alone from now on."""
        self.gate.on_accepted(plan, self._writers())

    def _writers(self) -> list[str]:
        """Full names of the nodes that publish plans."""
        infos = self._node.get_publishers_info_by_topic(self._plans.topic_name)
        return [f'{info.node_namespace}/{info.node_name}'.replace('//', '/') for info in infos]
