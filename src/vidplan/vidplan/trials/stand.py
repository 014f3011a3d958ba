# SPDX-License-Identifier: Apache-2.0
"""A simulated arm that somebody moves, seen from outside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from lifecycle_msgs.srv import ChangeState
from rclpy.node import Node
from std_srvs.srv import Trigger

from vidplan.ros import qos
from vidplan.trials.pace import RealTime
from vidplan.trials.simulated_arm import SimulatedArm, Words
from vidplan_core.errors import VidPlanError
from vidplan_msgs.msg import AdapterStatus

# Where nobody else is.
NAMESPACE = 'trials'

# Longest wait for processes, for answers, and for an arm that shall move or rest, s.
START_S, _ANSWER_S, MOVE_S = 120.0, 10.0, 15.0
# An arm that moves is as fast, rad/s; one that rested for so long rests, s.
MOVING_RAD_S, QUIET_S = 0.05, 0.2
# A random moment within this time after the arm began to move, s.
_WITHIN_S = 0.05, 0.6
# So often somebody tries to move the arm again, rearming it in between.
_PERSISTENCE = 3

_STATES = ('IDLE', 'EXECUTING', 'HOLDING', 'STOPPING', 'FAULT')
_CODES = {
    getattr(AdapterStatus, name): name
    for name in dir(type(AdapterStatus))
    if name[0].isupper() and name not in _STATES
}


class TrialError(VidPlanError):
    """The stand does not work, whatever is tried on it."""

    code = 'TRIAL_FAILED'


class Stand(ABC):
    """A simulated arm, and whoever asks it; a context manager.

    Attributes:
        arm: the arm.
        node: of whoever asks.
        names: of the errors that were heard since `forget`.
        starts: of processes that were killed, since `forget`.
        random: decides moments and ways.
    """

    def __init__(self, seed: int, pace: RealTime) -> None:
        """Nobody moves the arm yet; needs rclpy to be initialised."""
        self.random, self._pace = np.random.default_rng(seed), pace
        self.add = pace.add
        self.arm: SimulatedArm = self.add(SimulatedArm(NAMESPACE))
        node = Node('trials', namespace=NAMESPACE, start_parameter_services=False)
        self.node: Node = self.add(node)
        self.names: list[str] = []
        self.starts = 0
        self.status = AdapterStatus()
        self.node.create_subscription(
            AdapterStatus, 'adapter/status', self._on_status, qos.LATCHED
        )
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Stand:
        self.start_all()
        self.require(self.ready, START_S, 'what moves the arm does not start')
        return self

    def __exit__(self, *_: object) -> None:
        self._pace.end()

    @abstractmethod
    def start_all(self) -> None:
        """Start what moves the arm."""

    def ready(self) -> bool:
        """Whether the adapter takes plans, and knows where the arm is."""
        idle = self.status.state in (AdapterStatus.IDLE, AdapterStatus.HOLDING)
        return bool(idle and len(self.status.committed_times_s))

    def spin(self, duration_s: float) -> None:
        """Let time pass."""
        self.until(lambda: False, duration_s)

    def until(self, condition: Callable[[], Any], timeout_s: float) -> bool:
        """Let time pass until something holds; return whether it does."""
        deadline_s = self._pace.time_s() + timeout_s
        while not condition():
            if self._pace.time_s() >= deadline_s:
                return False
            self._pace.step()
        return True

    def require(self, condition: Callable[[], Any], timeout_s: float, otherwise: str) -> None:
        """Let time pass until something holds; raises TrialError where it does not in time."""
        if not self.until(condition, timeout_s):
            raise TrialError(f'{otherwise} (within {timeout_s:.0f} s); the adapter says '
                             f'{self._name()}: {self.status.error_msg}')  # fmt: skip

    def ask(self, service: str) -> bool:
        """Call a service without arguments; return whether it succeeds."""
        return bool(self._answer(Trigger, service, Trigger.Request()))

    def change_state(self, node: str, transition: int) -> bool:
        """Ask a node for a transition; return whether it succeeds."""
        request = ChangeState.Request()
        request.transition.id = transition
        return bool(self._answer(ChangeState, f'{node}/change_state', request))

    def _answer(self, kind: Any, service: str, request: Any) -> bool:
        if service not in self._clients:
            self._clients[service] = self.node.create_client(kind, service)
        client = self._clients[service]
        if not self.until(client.service_is_ready, _ANSWER_S):
            return False
        future = client.call_async(request)
        return self.until(future.done, _ANSWER_S) and bool(future.result().success)

    def move(self) -> None:
        """Set the arm in motion, and wait for a random moment of that."""
        self.set_in_motion()
        self.require(lambda: self.arm.speed > MOVING_RAD_S, MOVE_S, 'the arm does not move')
        self.spin(float(self.random.uniform(*_WITHIN_S)))
        self.require(lambda: self.arm.speed > MOVING_RAD_S, MOVE_S, 'the arm does not move')

    @abstractmethod
    def set_in_motion(self) -> None:
        """Have the arm move; it need not move yet when this returns."""

    def moves_again(self) -> bool:
        """Set the arm in motion as `move`; return whether that was possible.

        A busy machine lets other things go wrong meanwhile, so it is tried as a person would.
        """
        for _ in range(_PERSISTENCE):
            try:
                self.require(self.ready, MOVE_S, 'the stand is not ready')
                self.move()
                return True
            except TrialError:
                self.ask('adapter/rearm')
        return False

    def wait_for_rest(self) -> None:
        """Let time pass until the arm has rested for a while."""
        self.until(lambda: self.arm.now_s > self.arm.moved_s + QUIET_S, MOVE_S)

    def rearm(self) -> bool:
        """Heal, and rearm the adapter as a person would; return whether that was possible.

        It refuses while joint states of the last moment do not show an arm at rest.
        """
        self.heal()
        self.wait_for_rest()
        for _ in range(_PERSISTENCE):
            self.spin(QUIET_S)
            if self.ask('adapter/rearm'):
                return True
        return False

    def heal(self) -> None:
        """Tell the truth again."""
        self.arm.words = Words()

    def forget(self) -> None:
        """Count the names that come from now on."""
        self.names.clear()
        self.starts = 0

    def _on_status(self, status: AdapterStatus) -> None:
        self.status = status
        if (name := self._name()) != 'NONE' and name not in self.names:
            self.names.append(name)

    def _name(self) -> str:
        return _CODES.get(self.status.error_code, str(self.status.error_code))
