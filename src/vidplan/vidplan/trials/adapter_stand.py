# SPDX-License-Identifier: Apache-2.0
"""The adapter beside a simulated arm, in one process whose time is shared."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.parameter import Parameter

from vidplan.parameters.adapter import FCI, TOPIC
from vidplan.robots.adapter_node import AdapterNode
from vidplan.ros import qos
from vidplan.trials.pace import SharedTime
from vidplan.trials.random_plans import RandomPlans
from vidplan.trials.stand import MOVE_S, NAMESPACE, Stand, TrialError
from vidplan_msgs.msg import Plan

# Plans that are drawn until one is good.
_DRAWS = 20


class PacedAdapter(AdapterNode):
    """The adapter whose steady time is the ROS time of this process."""

    def steady_s(self) -> float:
        """Present time, s."""
        return self.now_s

    def create_timer(self, timer_period_sec: float, callback: Any, *_: Any, **__: Any) -> Any:
        """Create a timer of the node's own clock."""
        return super().create_timer(timer_period_sec, callback)


class AdapterStand(Stand):
    """The adapter in this process, and plans that are drawn here instead of a planner's."""

    def __init__(self, seed: int, on_line: Callable[[str, str], None]) -> None:
        super().__init__(seed, SharedTime())
        del on_line  # of processes, which are not here
        self.plans = RandomPlans(self.random)
        self.publisher = self.node.create_publisher(Plan, 'plan', qos.COMMAND)

    def start_all(self) -> None:
        """Start the adapter, which takes commands to the arm as the node `fci` does."""
        values = {'arm_backend': FCI, 'gripper_backend': TOPIC}
        given = [Parameter(name, value=value) for name, value in values.items()]
        adapter = PacedAdapter(
            namespace=NAMESPACE, parameter_overrides=given, start_parameter_services=False
        )
        self.add(adapter)

    def ready(self) -> bool:
        """Whether the adapter takes plans, and hears ours."""
        return super().ready() and self.publisher.get_subscription_count() > 0

    def set_in_motion(self) -> None:
        """Send plans until one is taken."""
        for _ in range(_DRAWS):
            plan = self.plans.from_rest(self.arm.state[0], self.arm.now_s)
            self.publisher.publish(plan)
            if self.until(partial(self._judged, plan), MOVE_S) and self._taken(plan):
                return
        raise TrialError(f'no plan of {_DRAWS} is taken, the last: {self.status.error_msg}')

    def _judged(self, plan: Plan) -> bool:
        return plan.plan_id in (self.status.active_plan_id, self.status.rejected_plan_id)

    def _taken(self, plan: Plan) -> bool:
        return bool(self.status.active_plan_id == plan.plan_id)
