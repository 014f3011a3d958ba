# SPDX-License-Identifier: Apache-2.0
"""Lifecycle nodes that go away wholly, and whose failures say why and harm nobody."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rclpy._rclpy_pybind11 import RCLError
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from vidplan_core.errors import VidPlanError

SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE
ERROR = TransitionCallbackReturn.ERROR


class DisposableLifecycleNode(LifecycleNode):
    """A lifecycle node of which nothing is left once it is destroyed.

    rclpy forgets the services of the lifecycle: by them the node, and its part in the discovery,
    live on until Python's collector comes around. Others then find a node that never answers.
    A transition that is not possible now is refused: rclpy raises it through the executor, and
    the process would end by a word of anybody.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Whoever holds it changes the state; a multi-threaded executor could try two at a time.
        self._transitions = threading.Lock()
        super().__init__(*args, **kwargs)
        self._change_state = self._service_change_state.callback
        self._service_change_state.callback = self._change_state_or_refuse

    def _change_state_or_refuse(
        self, request: ChangeState.Request, response: ChangeState.Response
    ) -> ChangeState.Response:
        try:
            with self._transitions:
                return self._change_state(request, response)
        except RCLError as error:
            self.get_logger().error(f'no change of state: {error}')
            response.success = False
            return response

    def destroy_node(self) -> None:
        """Destroy the node with all its parts."""
        super().destroy_node()
        self._state_machine.destroy_when_not_in_use()

    @property
    def state(self) -> str:
        """The state's label: unconfigured, inactive, active, finalized, or a transition's."""
        return str(self._state_machine.current_state[1])

    @property
    def finalized(self) -> bool:
        """Whether it was shut down for good: nothing leads out of that state."""
        return self.state == 'finalized'

    def change(self, words: str) -> TransitionCallbackReturn:
        """Ask for a transition, as a service would: 'configure', 'activate', 'deactivate' ..."""
        try:
            with self._transitions:
                return getattr(self, f'trigger_{words}')()
        except RCLError as error:
            self.get_logger().error(f'cannot {words}: {error}')
            return FAILURE

    def start(self) -> None:
        """Configure and activate, as without a lifecycle manager; raises RuntimeError."""
        for words in ('configure', 'activate'):
            if self.change(words) != SUCCESS:
                raise RuntimeError(f'{self.get_name()}: cannot {words}')


class ManagedNode(DisposableLifecycleNode):
    """Calls `configure`, `activate`, `deactivate` and `cleanup` in its transitions.

    rclpy turns an exception in a transition into a silent error; here it is logged, and a
    VidPlanError leaves the node where it was, to be tried again when the cause is gone. Any other
    exception, in a transition or in a callback, goes through error processing: the node stops
    working, gives back what it took, and is unconfigured until somebody configures it again.

    Attributes:
        failure: Why the last transition or callback failed, None if it did not.
        active: Whether the node is in the state active.
    """

    def __init__(self, name: str, **kwargs: Any) -> None:
        self.failure: Exception | None = None
        self.active = False
        self._failing = self._ending = False
        super().__init__(name, **kwargs)

    def configure(self) -> None:
        """Load what the node needs."""

    def activate(self) -> None:
        """Start to work."""

    def deactivate(self) -> None:
        """Stop working."""

    def cleanup(self) -> None:
        """Give back what `configure` took; also after a `configure` that failed halfway."""

    @property
    def failure_text(self) -> str:
        """Name and words of `failure`, '' without one."""
        if self.failure is None:
            return ''
        if isinstance(self.failure, VidPlanError):
            return f'{self.failure.code}: {self.failure}'
        return f'INTERNAL: {type(self.failure).__name__}: {self.failure}'

    # --- transitions ---------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Transition to inactive."""
        return self._transition('configure', self.configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Transition to active."""
        super().on_activate(state)  # its publishers
        result = self._transition('activate', self.activate)
        self.active = result == SUCCESS
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Transition to inactive."""
        self.active = False
        result = self._transition('deactivate', self.deactivate)
        super().on_deactivate(state)
        return result

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Transition to unconfigured."""
        return self._transition('clean up', self.cleanup)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Transition to finalized; whoever runs the node then ends the process."""
        self._ending = True
        if self.active:
            self.on_deactivate(state)
        return self._transition('shut down', self.cleanup)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After an exception: stop working and give everything back.

        To unconfigured; to finalized if that fails, too, or if the node was being shut down.
        """
        cause, self.active, self._failing = self.failure, False, False
        results = [
            self._attempt('stop after an error', self.deactivate),
            self._attempt('clean up after an error', self.cleanup),
        ]
        super().on_error(state)
        self.failure = cause or self.failure
        return SUCCESS if results == [SUCCESS, SUCCESS] and not self._ending else FAILURE

    def _transition(self, words: str, work: Callable[[], None]) -> TransitionCallbackReturn:
        if self._failing:
            self._attempt(words, work)
            return ERROR
        self.failure = None
        return self._attempt(words, work)

    def _attempt(self, words: str, work: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            work()
        except VidPlanError as error:
            self._note(f'cannot {words}: {error.code}: {error}', error)
            return FAILURE
        except Exception as error:
            self._note(f'cannot {words}: {error}\n{traceback.format_exc()}', error)
            return ERROR
        return SUCCESS

    def _note(self, words: str, error: Exception) -> None:
        self.failure = error
        self.get_logger().error(words)

    # --- callbacks -----------------------------------------------------------------------------

    def create_subscription(
        self, msg_type: Any, topic: str, callback: Any, *args: Any, **options: Any
    ) -> Any:
        """As of any node, see `fail`."""
        guarded = self._guard(callback)
        return super().create_subscription(msg_type, topic, guarded, *args, **options)

    def create_service(
        self, srv_type: Any, srv_name: str, callback: Any, *args: Any, **options: Any
    ) -> Any:
        """As of any node, see `fail`; the answer is then as empty as it came."""
        guarded = self._guard(callback)
        return super().create_service(srv_type, srv_name, guarded, *args, **options)

    def create_timer(
        self, timer_period_sec: float, callback: Any, *args: Any, **options: Any
    ) -> Any:
        """As of any node, see `fail`."""
        return super().create_timer(timer_period_sec, self._guard(callback), *args, **options)

    def _guard(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(callback)
        def guarded(*args: Any) -> Any:
            try:
                return callback(*args)
            except Exception as error:
                self.fail(error)
                return args[-1] if args else None  # of a service: its response

        return guarded

    def fail(self, error: Exception) -> None:
        """Go to unconfigured by error processing, because of an exception in a callback.

        ROS knows no way there but a transition that fails, so one is made to.
        """
        self.get_logger().error(
            f'unexpected: {error}\n{"".join(traceback.format_exception(error))}',
            throttle_duration_sec=2.0,
        )
        # Else a transition is under way, which may wait for what this callback would do.
        if not self._transitions.acquire(blocking=False):
            return
        try:
            self.failure, self._failing = error, True
            leave = {'active': self.trigger_deactivate, 'inactive': self.trigger_cleanup}
            if self.state in leave:
                leave[self.state]()
        except RCLError as refusal:
            self.get_logger().error(f'no change of state: {refusal}')
        finally:
            self._failing = False
            self._transitions.release()
