# SPDX-License-Identifier: Apache-2.0
"""Lifecycle nodes that go away wholly, and whose failed transitions say why and harm nobody."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rclpy._rclpy_pybind11 import RCLError
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from vidplan_core.errors import VidPlanError


class DisposableLifecycleNode(LifecycleNode):
    """A lifecycle node of which nothing is left once it is destroyed.

    rclpy forgets the services of the lifecycle: by them the node, and its part in the discovery,
    live on until Python's collector comes around. Others then find a node that never answers.
    A transition that is not possible now is refused: rclpy raises it through the executor, and
    the process would end by a word of anybody.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._change_state = self._service_change_state.callback
        self._service_change_state.callback = self._change_state_or_refuse

    def _change_state_or_refuse(
        self, request: ChangeState.Request, response: ChangeState.Response
    ) -> ChangeState.Response:
        try:
            return self._change_state(request, response)
        except RCLError as error:
            self.get_logger().error(f'no change of state: {error}')
            response.success = False
            return response

    def destroy_node(self) -> None:
        """Destroy the node with all its parts."""
        super().destroy_node()
        self._state_machine.destroy_when_not_in_use()

    def start(self) -> None:
        """Configure and activate, as without a lifecycle manager; raises RuntimeError."""
        for transition in (self.trigger_configure, self.trigger_activate):
            if transition() != TransitionCallbackReturn.SUCCESS:
                raise RuntimeError(f'{transition.__name__} failed')


class ManagedNode(DisposableLifecycleNode):
    """Calls `configure`, `activate`, `deactivate` and `cleanup` in its transitions.

    rclpy turns an exception in a transition into a silent error; here it is logged, and a
    VidPlanError leaves the node where it was, to be tried again when the cause is gone.

    Attributes:
        failure: Why the last transition failed, None if it did not.
        active: Whether the node is in the state active.
    """

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.failure: Exception | None = None
        self.active = False

    def configure(self) -> None:
        """Load what the node needs."""

    def activate(self) -> None:
        """Start to work."""

    def deactivate(self) -> None:
        """Stop working."""

    def cleanup(self) -> None:
        """Give back what `configure` took."""

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Transition to inactive."""
        return self._transition('configure', self.configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Transition to active."""
        super().on_activate(state)  # its publishers
        result = self._transition('activate', self.activate)
        self.active = result == TransitionCallbackReturn.SUCCESS
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
        """Transition to finalized."""
        if self.active:
            self.on_deactivate(state)
        return self._transition('shut down', self.cleanup)

    def _transition(self, words: str, work: Callable[[], None]) -> TransitionCallbackReturn:
        self.failure = None
        try:
            work()
        except VidPlanError as error:
            self.failure = error
            self.get_logger().error(f'cannot {words}: {error.code}: {error}')
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            self.failure = error
            self.get_logger().error(f'cannot {words}: {error}\n{traceback.format_exc()}')
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS
