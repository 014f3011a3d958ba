# SPDX-License-Identifier: Apache-2.0
"""The arm as the adapter sees it: its controller, what the robot says, and its recovery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.action import ActionClient
from rclpy.node import Node
from std_srvs.srv import Trigger

from vidplan.parameters.adapter import ACTION, CRISP, FCI, AdapterParameters
from vidplan.robots.adapter_status import NO_INCIDENT, Incident
from vidplan.robots.franka.fci_feed import FciFeed, fci_steps
from vidplan.robots.franka.recovery import franka_steps
from vidplan.robots.franka.state_feed import RobotStateFeed
from vidplan.robots.trajectory_action import TrajectoryAction
from vidplan.robots.trajectory_stream import Committed, TrajectoryStream
from vidplan.robots.trajectory_topic import ArmCommands, OnFault, TrajectoryTopic
from vidplan_core.control.franka.recovery import Done, Recovery, Step
from vidplan_core.control.rejection import CONTACT, REFUSED, ROBOT_REFLEX, STALE_ROBOT_STATE
from vidplan_core.control.timeline import Follows
from vidplan_core.errors import CommandRejectedError, ConfigError

# After these the robot still follows what it was sent, so it has to be braked.
_FOLLOWED = frozenset({CONTACT, STALE_ROBOT_STATE})


class ArmSide:
    """Sends trajectories, and hands over what controller and robot say went wrong.

    Attributes:
        arm: the way to command it.
        robot: what it says of itself, None where that is not heard.
        action_clients: which a node does not take down with itself.
    """

    def __init__(
        self,
        node: Node,
        p: AdapterParameters,
        on_fault: OnFault,
        rearm: Callable[[], str],
        committed: Committed,
        steady_s: Callable[[], float],
    ) -> None:
        """Command the arm of a node.

        Args:
            node: the adapter.
            p: its parameters.
            on_fault: called with what went wrong, and what the arm follows since.
            rearm: takes plans again after a recovery; returns why it cannot, '' if it can.
            committed: says what the arm will do from a time on.
            steady_s: time that nobody sets, s.

        Raises:
            ConfigError: messages that the parameters need are not installed.
        """
        self._node, self._tell, self._rearm = node, on_fault, rearm
        self._committed, self._steady_s = committed, steady_s
        self._automatic, self._left = p.automatic_recovery, p.recovery_tries
        self._waiting: Done | None = None
        self.action_clients: list[ActionClient] = []
        self.arm, self._recovery = self._open(p), None
        self.robot = self._watch(p)
        if self.robot is not None:
            self._recovery = self._make_recovery(p)
        node.create_service(Trigger, 'adapter/recover', self._on_recover)

    def poll(self) -> None:
        """Look at controller and robot; to be called regularly."""
        self.arm.poll()
        if self.robot is None or self._recovery is None:
            return
        if why := self.robot.refusal():
            self._on_fault(REFUSED, why, Follows.BEFORE)
        fault = self.robot.fault()
        if fault is None and (done := self._waiting) is not None:
            self._waiting = None
            done('')
        self._recovery.poll()
        if fault is not None and not self._recovery.running:
            self._on_fault(*fault, Follows.LAST if fault[0] in _FOLLOWED else Follows.NOTHING)
            self._recover_unasked(fault[0])

    def _on_fault(self, reason: str, message: str, follows: Follows) -> None:
        self._node.get_logger().error(f'{reason}: {message}', throttle_duration_sec=2.0)
        self._tell(reason, message, follows)

    @property
    def problem(self) -> Incident:
        """Why nothing that is sent would be followed."""
        return self.arm.problem or self._robot_problem

    @property
    def failed(self) -> Incident:
        """How a recovery failed, until the next one or until somebody helped the robot."""
        problem = self._recovery.problem if self._recovery else ''
        return Incident('RECOVERY_FAILED', problem) if problem else NO_INCIDENT

    def require_ready(self) -> None:
        """Raise CommandRejectedError while the robot itself does not take commands."""
        if problem := self._robot_problem:
            raise CommandRejectedError(problem.name, problem.message)
        if self._recovery is not None:
            self._recovery.problem = ''

    @property
    def _robot_problem(self) -> Incident:
        fault = self.robot.fault() if self.robot else None
        return Incident(*fault) if fault else NO_INCIDENT

    def _open(self, p: AdapterParameters) -> ArmCommands:
        if p.arm == CRISP and not p.dry_run:
            limits, rate_hz = p.model.hard_limits, p.target_rate_hz
            return TrajectoryStream(
                self._node, p.target_topic, rate_hz, limits, self._committed, self._on_fault
            )
        if p.dry_run or p.arm != ACTION:
            return TrajectoryTopic(self._node, stamped=p.stamp_trajectories, silent=p.dry_run)
        kind = _need(_follow_joint_trajectory)
        client = ActionClient(self._node, kind, p.arm_action)
        self.action_clients.append(client)
        return TrajectoryAction(
            self._node, client, lambda trajectory: kind.Goal(trajectory=trajectory),
            self._on_fault, stamped=p.stamp_trajectories, clock=self._steady_s,
        )  # fmt: skip

    def _watch(self, p: AdapterParameters) -> RobotStateFeed | FciFeed | None:
        if p.dry_run:
            return None
        if p.arm == FCI:
            return FciFeed(self._node, p.stop_on_contact, self._steady_s)
        if not p.watch_robot_state:
            return None
        return _robot_state(self._node, p.stop_on_contact, self._steady_s)

    def _make_recovery(self, p: AdapterParameters) -> Recovery:
        steps = fci_steps(self._node) if p.arm == FCI else self._steps_of_driver(p)
        steps.append(Step('the robot does not say that it moves', self._wait, 2.0))
        return Recovery(steps, p.recovery_tries, self._on_recovered, self._steady_s)

    def _steps_of_driver(self, p: AdapterParameters) -> list[Step]:
        controllers = [name.strip() for name in p.arm_controllers.split(',')]
        clear, steps = _need(lambda: franka_steps(self._node, p.hardware_component, controllers))
        self.action_clients.append(clear)
        return list(steps)

    def _wait(self, done: Done) -> None:
        self._waiting = done

    def _recover_unasked(self, reason: str) -> None:
        if self._automatic and reason == ROBOT_REFLEX and self._left and self._recovery:
            self._left -= 1
            self._recovery.begin()

    def _on_recover(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._recovery is None:
            response.message = 'not watching the robot: set watch_robot_state'
        else:
            response.success = self._recovery.begin()
            began = 'watch adapter/status' if response.success else 'it is under way already'
            response.message = f'recovery: {began}'
        return response

    def _on_recovered(self, back: bool) -> None:
        self._waiting = None
        logger = self._node.get_logger()
        if not back and self._recovery:
            logger.error(f'recovery failed: {self._recovery.problem}')
        elif problem := self._rearm():
            logger.error(f'the robot is back, but {problem}')
        else:
            logger.warning('the robot is back after an error')


def _follow_joint_trajectory() -> Any:
    from control_msgs.action import FollowJointTrajectory

    return FollowJointTrajectory


def _robot_state(
    node: Node, stop_on_contact: bool, steady_s: Callable[[], float]
) -> RobotStateFeed:
    def kind() -> Any:
        from franka_msgs.msg import FrankaRobotState

        return FrankaRobotState

    return RobotStateFeed(node, _need(kind), stop_on_contact, steady_s)


def _need(make: Callable[[], Any]) -> Any:
    """Return what `make` does; raises ConfigError where messages that it needs are missing."""
    try:
        return make()
    except ImportError as error:
        raise ConfigError(
            f'{error.name or error} is not installed: it comes with franka_ros2 and ros2_control; '
            "source them, or set the adapter's arm_backend to topic and watch_robot_state to false"
        ) from error
