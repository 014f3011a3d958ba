# SPDX-License-Identifier: Apache-2.0
"""Sends one goal to `plan_task` and follows it to its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from vidplan.tasks.endings import Ending
from vidplan_core.errors import VidPlanError
from vidplan_msgs.action import PlanTask

_ANSWER_S = 10.0
_AGAIN_S = 0.5
# After a cancel the server still brings the arm to rest.
_REST_S = 15.0


class GoalError(VidPlanError):
    """A goal that could not be sent, or whose result did not come."""

    code = 'GOAL_FAILED'


@dataclass(frozen=True)
class GoalEnd:
    """How a goal ended: `code` is SUCCESS or a name of PlanTask's error codes."""

    code: str
    result: PlanTask.Result

    @property
    def success(self) -> bool:
        """Whether the planner itself judges the task done."""
        return bool(self.result.success)


class GoalClient:
    """One goal at a time, driven by the executor of the caller's thread."""

    def __init__(self, node: Node, executor: SingleThreadedExecutor) -> None:
        self._node = node
        self._executor = executor
        self._client = ActionClient(node, PlanTask, 'plan_task')

    def wait_for_server(self, timeout_s: float) -> bool:
        """Return whether a planning server is there within the time."""
        return self.spin_until(self._client.server_is_ready, timeout_s)

    def follow(
        self,
        goal: PlanTask.Goal,
        on_feedback: Callable[[PlanTask.Feedback], None],
        should_cancel: Callable[[], bool],
        is_alive: Callable[[], bool] = lambda: True,
        accept_within_s: float = 0.0,
    ) -> GoalEnd:
        """Send the goal and return its end.

        Args:
            goal: What to do.
            on_feedback: Called in this thread.
            should_cancel: Asked often; once true, the goal is canceled and awaited.
            is_alive: Whether it makes sense to wait on.
            accept_within_s: How long to try again while the planner is not active yet [s].

        Raises:
            GoalError: the goal was rejected, or nobody answers any more.
        """

        def gone() -> bool:
            return not (is_alive() and self._client.server_is_ready())

        handle = self._accepted(goal, on_feedback, should_cancel, accept_within_s)
        ended = handle.get_result_async()
        self.spin_until(lambda: ended.done() or should_cancel() or gone(), None)
        if not ended.done() and not gone():
            handle.cancel_goal_async()
            self.spin_until(lambda: ended.done() or gone(), _REST_S)
        if not ended.done():
            raise GoalError('the planning server is gone; the arm comes to rest by itself')
        return _end(ended.result().result)

    def _accepted(
        self,
        goal: PlanTask.Goal,
        on_feedback: Callable[[PlanTask.Feedback], None],
        should_cancel: Callable[[], bool],
        within_s: float,
    ) -> Any:
        deadline_s = time.monotonic() + within_s
        while not (handle := self._send(goal, on_feedback)).accepted:
            if should_cancel() or time.monotonic() >= deadline_s:
                raise GoalError('the goal was rejected: the node planner is not active')
            self.spin_until(should_cancel, _AGAIN_S)
        return handle

    def _send(self, goal: PlanTask.Goal, on_feedback: Callable[[PlanTask.Feedback], None]) -> Any:
        sent = self._client.send_goal_async(
            goal, feedback_callback=lambda message: on_feedback(message.feedback)
        )
        if not self.spin_until(sent.done, _ANSWER_S):
            raise GoalError(f'the planning server did not answer within {_ANSWER_S:.0f} s')
        return sent.result()

    def spin_until(self, condition: Callable[[], bool], timeout_s: float | None) -> bool:
        """Handle messages until the condition holds; return whether it does."""
        deadline_s = float('inf') if timeout_s is None else time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() >= deadline_s:
                return False
            self._executor.spin_once(timeout_sec=0.05)
        return True


def _end(result: PlanTask.Result) -> GoalEnd:
    if result.success:
        return GoalEnd('SUCCESS', result)
    try:
        return GoalEnd(Ending(result.error_code).name, result)
    except ValueError:
        return GoalEnd(f'ERROR_{result.error_code}', result)
