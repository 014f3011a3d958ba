# SPDX-License-Identifier: Apache-2.0
"""Ways to command a gripper: a topic, the Franka Hand's actions, a Robotiq controller's action."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.action import ActionClient
from rclpy.node import Node
from std_msgs.msg import Float64

from vidplan.robots.adapter_status import NO_INCIDENT, Incident
from vidplan.ros import qos
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.robot import FCI, FRANKA_HAND, NONE, TOPIC, GripperModel

# Nearly closed counts as closed: a grasp with force instead of a motion to a width.
_GRASP_ABOVE = 0.9

# Longest time from a command to its end; the Franka Hand closes at 0.08 m/s within 1 s.
_TIMEOUT_S = 5.0

Done = Callable[[], None]


class Gripper(Protocol):
    """Takes commands; called on change only.

    Attributes:
        problem: why the last command failed; '' if it did not.
    """

    problem: str

    def send(self, closedness: float) -> None:
        """Command 0 open .. 1 closed; returns at once."""

    def poll(self) -> None:
        """Give up what takes too long; to be called regularly."""


class OneAtATime:
    """Starts a command when the one before has ended; of those that wait, the newest counts.

    The Franka Hand is slow, accepts every goal and is confused by two at once.
    """

    def __init__(
        self,
        start: Callable[[float, Done], None],
        timeout_s: float = _TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start, self._timeout_s, self._clock = start, timeout_s, clock
        self._number = 0
        self._began_s: float | None = None
        self._waiting: float | None = None

    def send(self, closedness: float) -> None:
        """Start the command, or keep it for when the present one has ended."""
        if self._began_s is not None:
            self._waiting = closedness
            return
        self._number += 1
        self._began_s = self._clock()
        self._start(closedness, partial(self._on_done, self._number))

    def overdue(self) -> bool:
        """Whether the present command took too long; it is given up, and the next one starts."""
        if self._began_s is None or self._clock() - self._began_s <= self._timeout_s:
            return False
        self._on_done(self._number)
        return True

    def _on_done(self, number: int) -> None:
        if number != self._number:
            return  # an answer that came after it was given up
        self._began_s = None
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self.send(waiting)


class TopicGripper:
    """Publishes the closedness, as the simulated cell understands it."""

    def __init__(self, node: Node) -> None:
        self.problem = ''
        self._publisher = node.create_publisher(Float64, 'gripper/command', qos.COMMAND)

    def send(self, closedness: float) -> None:
        """Publish 0 open .. 1 closed."""
        self._publisher.publish(Float64(data=closedness))

    def poll(self) -> None:
        """Nothing is waited for."""


class FciGripper(TopicGripper):
    """Publishes the closedness for the node `fci`, and hears what became of it."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._node = node
        node.create_subscription(DiagnosticStatus, 'fci/hand', self._on_status, qos.LATCHED)

    def _on_status(self, status: DiagnosticStatus) -> None:
        self.problem = f'the gripper: {status.message}' if status.level else ''
        if self.problem:
            self._node.get_logger().error(self.problem, throttle_duration_sec=5.0)


class ActionGripper:
    """Sends goals to action servers, one at a time; `problem` says how the last one failed.

    Args:
        node: for its logger.
        goal_of: returns the client and the goal for a closedness.
    """

    def __init__(self, node: Node, goal_of: Callable[[float], tuple[Any, Any]]) -> None:
        self._node = node
        self._goal_of = goal_of
        self._queue = OneAtATime(self._start)
        self.problem = ''

    def send(self, closedness: float) -> None:
        """Start a goal for 0 open .. 1 closed, after the present one."""
        self._queue.send(closedness)

    def poll(self) -> None:
        """Give up a goal that takes too long, so that the next one is tried."""
        if self._queue.overdue():
            self._fail(f'did not end a command within {_TIMEOUT_S:.0f} s; is its driver running?')

    def _fail(self, what: str) -> None:
        self.problem = f'the gripper {what}'
        self._node.get_logger().error(self.problem, throttle_duration_sec=5.0)

    def _start(self, closedness: float, done: Done) -> None:
        client, goal = self._goal_of(closedness)
        if not client.server_is_ready():
            self._fail(f'does not answer: no action server {client._action_name}')
            done()
            return
        client.send_goal_async(goal).add_done_callback(
            lambda future: self._on_answer(future.result(), done)
        )

    def _on_answer(self, handle: Any, done: Done) -> None:
        if not handle.accepted:
            self._fail('refuses the goal')
            done()
            return
        handle.get_result_async().add_done_callback(
            lambda future: self._on_result(future.result(), done)
        )

    def _on_result(self, answer: Any, done: Done) -> None:
        """Take in how a goal ended; a Grasp or Move that failed says success = False."""
        if answer.status != GoalStatus.STATUS_SUCCEEDED:
            self._fail(f'ended a command with status {answer.status} instead of success')
        elif not getattr(answer.result, 'success', True):
            error = getattr(answer.result, 'error', '') or 'without saying why'
            self._fail(f'did not do what it was commanded: {error}')
        else:
            self.problem = ''
        done()


def follow_schedule(gripper: Gripper | None, closedness: float | None) -> None:
    """Command what is due now, if anything, and give up what takes too long."""
    if gripper is None:
        return
    gripper.poll()
    if closedness is not None:
        gripper.send(closedness)


def problem_of(gripper: Gripper | None) -> Incident:
    """Return how the last command failed, if it did."""
    problem = gripper.problem if gripper else ''
    return Incident('GRIPPER_FAILED', problem) if problem else NO_INCIDENT


def make_gripper(
    node: Node, model: GripperModel, speed_m_s: float, force_n: float
) -> Gripper | None:
    """Return what commands a gripper through its interface; None for `none`.

    Args:
        node: that commands it.
        model: the gripper.
        speed_m_s: of the Franka Hand.
        force_n: of a grasp.

    Raises:
        ConfigError: the messages of the interface are not installed.
    """
    if model.interface == NONE:
        return None
    if model.interface in (TOPIC, FCI):
        return FciGripper(node) if model.interface == FCI else TopicGripper(node)
    try:
        if model.interface == FRANKA_HAND:
            return ActionGripper(node, _franka_goals(node, model, speed_m_s, force_n))
        return ActionGripper(node, _robotiq_goals(node, model, force_n))
    except ImportError as error:
        raise ConfigError(
            f'the gripper is commanded by {model.interface!r}, but {error.name or error} is not '
            'installed: install franka_msgs (Franka Hand) or control_msgs (Robotiq), or set the '
            "adapter's parameter gripper_backend to topic or none"
        ) from error


def _franka_goals(
    node: Node, model: GripperModel, speed_m_s: float, force_n: float
) -> Callable[[float], tuple[Any, Any]]:
    from franka_msgs.action import Grasp, Move

    move = ActionClient(node, Move, f'{model.action}/move')
    grasp = ActionClient(node, Grasp, f'{model.action}/grasp')

    def goal_of(closedness: float) -> tuple[Any, Any]:
        if closedness < _GRASP_ABOVE:
            return move, Move.Goal(width=(1.0 - closedness) * model.opening_m, speed=speed_m_s)
        # Any width counts as grasped: the size of the object is not known.
        goal = Grasp.Goal(width=0.0, speed=speed_m_s, force=force_n)
        goal.epsilon.inner = goal.epsilon.outer = model.opening_m
        return grasp, goal

    return goal_of


def _robotiq_goals(
    node: Node, model: GripperModel, force_n: float
) -> Callable[[float], tuple[Any, Any]]:
    from control_msgs.action import ParallelGripperCommand

    client = ActionClient(node, ParallelGripperCommand, model.action)
    travel = model.closed_position - model.open_position

    def goal_of(closedness: float) -> tuple[Any, Any]:
        goal = ParallelGripperCommand.Goal()
        goal.command.position = [model.open_position + closedness * travel]
        goal.command.effort = [force_n]
        return client, goal

    return goal_of
