# SPDX-License-Identifier: Apache-2.0
"""An action server with one goal at a time, in which the newest goal wins."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from vidplan.tasks.endings import Ending, TaskEnd

ResultT = TypeVar('ResultT')


class ActiveGoal:
    """A goal that runs or waits; the executing function asks it whether to go on."""

    def __init__(self, handle: ServerGoalHandle, server_end: Callable[[], TaskEnd | None]) -> None:
        self.handle = handle
        self._server_end = server_end
        self._preempted = threading.Event()
        self._canceled = threading.Event()

    @property
    def request(self) -> Any:
        """The goal message."""
        return self.handle.request

    def preempt(self) -> None:
        """Ask the goal to end for a newer one."""
        self._preempted.set()

    def cancel(self) -> None:
        """Ask the goal to end for its client; its action state follows a moment later."""
        self._canceled.set()

    def interrupted(self) -> TaskEnd | None:
        """Return the end that somebody asked for, the client's cancel first."""
        if self._canceled.is_set() or self.handle.is_cancel_requested:
            return TaskEnd(Ending.CANCELED, 'canceled by the client')
        if self._preempted.is_set():
            return TaskEnd(Ending.PREEMPTED, 'replaced by a newer goal')
        return self._server_end()


class GoalServer(Generic[ResultT]):
    """Executes goals one after the other; a newer goal preempts the running one.

    The running goal ends first, the arm at rest, before the newer one starts. Goals that come
    meanwhile replace each other: only the newest is executed.

    Args:
        node: Hosts the action; needs a multi-threaded executor.
        action: The action type.
        name: The action's name.
        execute: Runs one goal and returns how it ended with the result message. Runs in an
            executor thread, never twice at a time.
        refused: Returns the result of a goal that is preempted or canceled before it began.
        on_interrupt: Called when a goal should look at `ActiveGoal.interrupted` at once.
    """

    def __init__(
        self,
        node: Node,
        action: Any,
        name: str,
        *,
        execute: Callable[[ActiveGoal], tuple[Ending, ResultT]],
        refused: Callable[[TaskEnd], ResultT],
        on_interrupt: Callable[[], None],
    ) -> None:
        self._execute = execute
        self._refused = refused
        self._on_interrupt = on_interrupt
        self._logger = node.get_logger()
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._accepting = False
        self._current: ActiveGoal | None = None
        self._waiting: ActiveGoal | None = None
        self._server = ActionServer(
            node, action, name, self._begin,
            callback_group=ReentrantCallbackGroup(),
            goal_callback=self._on_goal,
            handle_accepted_callback=self._on_accepted,
            cancel_callback=self._on_cancel,
        )  # fmt: skip

    def open(self) -> None:
        """Accept goals from now on."""
        with self._lock:
            self._accepting = True

    def close(self, timeout_s: float) -> bool:
        """Accept no more goals, end the running one, return whether it has ended in time."""
        with self._lock:
            self._accepting = False
        self._on_interrupt()
        with self._idle:
            return self._idle.wait_for(lambda: self._current is None, timeout_s)

    @property
    def busy(self) -> bool:
        """Whether a goal is being executed."""
        with self._lock:
            return self._current is not None

    def destroy(self) -> None:
        """Take the action away."""
        self._server.destroy()

    def _on_goal(self, request: Any) -> GoalResponse:
        with self._lock:
            if self._accepting:
                return GoalResponse.ACCEPT
        self._logger.warning(
            'goal rejected: the planner is not active (see its lifecycle state)',
            throttle_duration_sec=5.0,
        )
        return GoalResponse.REJECT

    def _on_accepted(self, handle: ServerGoalHandle) -> None:
        goal = ActiveGoal(handle, self._server_end)
        with self._lock:
            passed_over, self._waiting = self._waiting, goal
            running = self._current
            if running is None:
                self._current, self._waiting = goal, None
        if passed_over is not None:
            self._refuse(passed_over, TaskEnd(Ending.PREEMPTED, 'replaced by a newer goal'))
        if running is None:
            handle.execute()
        else:
            running.preempt()
            self._on_interrupt()

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        with self._lock:
            goals = [goal for goal in (self._current, self._waiting) if goal is not None]
        for goal in goals:
            if goal.handle == handle:
                goal.cancel()
        self._on_interrupt()
        return CancelResponse.ACCEPT

    def _server_end(self) -> TaskEnd | None:
        if self._accepting:
            return None
        return TaskEnd(Ending.SHUTDOWN, 'the planner was deactivated or shut down')

    def _begin(self, handle: ServerGoalHandle) -> ResultT:
        goal = self._current
        assert goal is not None
        try:
            ending, result = self._run(goal)
            _set_state(handle, ending)
            return result
        finally:
            self._next_goal()

    def _run(self, goal: ActiveGoal) -> tuple[Ending, ResultT]:
        end = goal.interrupted()  # it may have waited for its turn
        if end is not None:
            return end.ending, self._refused(end)
        return self._execute(goal)

    def _next_goal(self) -> None:
        with self._idle:
            self._current, self._waiting = self._waiting, None
            following = self._current
            self._idle.notify_all()
        if following is not None:
            following.handle.execute()

    def _refuse(self, goal: ActiveGoal, end: TaskEnd) -> None:
        def answer(handle: ServerGoalHandle) -> ResultT:
            _set_state(handle, end.ending)
            return self._refused(end)

        goal.handle.execute(answer)


def _set_state(handle: ServerGoalHandle, ending: Ending) -> None:
    """Bring the goal into the action state that belongs to its end."""
    if ending is Ending.NONE:
        handle.succeed()
    elif ending is Ending.CANCELED and _is_canceling(handle):
        handle.canceled()
    else:
        handle.abort()


def _is_canceling(handle: ServerGoalHandle, timeout_s: float = 1.0) -> bool:
    # rclpy changes the state only after the cancel callback, which has notified the goal already.
    deadline_s = time.monotonic() + timeout_s
    while not handle.is_cancel_requested and time.monotonic() < deadline_s:
        time.sleep(0.005)
    return handle.is_cancel_requested
