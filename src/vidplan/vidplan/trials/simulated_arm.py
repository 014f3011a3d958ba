# SPDX-License-Identifier: Apache-2.0
"""An arm without physics, that follows its controller exactly and says what it is made to say."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vidplan.robots.franka.fci_arm import FciState
from vidplan.robots.franka.fci_link import FciReport
from vidplan.robots.franka.fci_node import state_message
from vidplan.ros import qos
from vidplan.ros.conversions import stamp
from vidplan_core.control.franka.robot_state import MOVE, REFLEX
from vidplan_core.data.readings import seconds
from vidplan_core.geometry.robot_files import default_robot
from vidplan_sim.arm.trajectory_controller import (
    Point,
    Trajectory,
    TrajectoryController,
    TrajectoryRejected,
)

Array = NDArray[np.float64]

# Joint states and robot states come every so often, s.
_STATE_S = 0.01
# A joint that is slower rests, rad/s.
REST_RAD_S = 0.01


@dataclass
class Words:
    """What the arm says, and does with what is asked of it.

    Attributes:
        joints: changes a joint state before it is sent; None for silence.
        state: what the robot says of itself; None for silence.
        refuses: whether the next trajectory is refused, which is said.
        heals: whether a recovery helps after a reflex.
    """

    joints: Callable[[JointState], JointState | None] = lambda message: message
    state: FciState | None = field(default_factory=lambda: FciState(
        np.zeros(7), np.zeros(7), np.zeros(7), MOVE
    ))  # fmt: skip
    refuses: bool = False
    heals: bool = True


class SimulatedArm(Node):
    """Takes trajectories as the node `fci` does, and publishes what that publishes.

    Attributes:
        words: what it says; a fresh `Words` says the truth.
        moved_s: when a joint was last seen to move, ROS time, s.
        trajectories: how many it was sent.
    """

    def __init__(self, namespace: str) -> None:
        super().__init__('simulated_arm', namespace=namespace, start_parameter_services=False)
        robot = default_robot()
        self.words, self.trajectories, self._refusals = Words(), 0, 0
        self._names = robot.joint_names
        self._controller = TrajectoryController(self._names)
        self._controller.hold(np.array(robot.home), 0.0)
        self.moved_s = self.now_s
        self._joints = self.create_publisher(JointState, 'joint_states', qos.STATES)
        self._state = self.create_publisher(DiagnosticStatus, 'fci/state', qos.STATES)
        self.create_service(Trigger, 'fci/recover', self._on_recover)
        self._commands: Subscription | None = None
        self.listen(True)
        self.create_timer(_STATE_S, self._speak)

    def listen(self, listens: bool) -> None:
        """Take trajectories, or be nobody who does."""
        if self._commands is not None:
            self.destroy_subscription(self._commands)
        topic = 'fr3_arm_controller/joint_trajectory'
        self._commands = (
            self.create_subscription(JointTrajectory, topic, self._on_trajectory, qos.COMMAND)
            if listens
            else None
        )

    @property
    def now_s(self) -> float:
        """Present ROS time, s."""
        return float(self.get_clock().now().nanoseconds * 1e-9)

    @property
    def end_s(self) -> float:
        """When what it follows ends, ROS time, s."""
        return float(self._controller.end_s)

    @property
    def state(self) -> tuple[Array, Array]:
        """True positions and velocities (7,), rad and rad/s."""
        return self._controller.sample(self.now_s)

    @property
    def speed(self) -> float:
        """Of the fastest joint, rad/s."""
        return float(np.abs(self.state[1]).max())

    @property
    def way_left(self) -> float:
        """Of the joint that is furthest from where it will rest, rad."""
        return float(np.abs(self._controller.sample(self.end_s)[0] - self.state[0]).max())

    def push(self, away_rad: float, within_s: float) -> None:
        """Let somebody else move the first joint."""
        there = self.state[0] + away_rad * np.eye(7)[0]
        self._follow(Trajectory(self._names, [Point(there.tolist(), [0.0] * 7, None, within_s)]))

    def reflex(self, name: str = 'cartesian_reflex') -> None:
        """Stop where it is, as the robot does by itself."""
        self._controller.hold(self.state[0], self.now_s)
        assert self.words.state is not None
        self.words.state = replace(self.words.state, mode=REFLEX, errors=(name,))

    def _on_trajectory(self, message: JointTrajectory) -> None:
        self.trajectories += 1
        state = self.words.state
        if self.words.refuses:
            self.words.refuses, self._refusals = False, self._refusals + 1
        elif state is None or state.mode == MOVE:
            points = [
                Point(one.positions, one.velocities, one.accelerations,
                      seconds(one.time_from_start))
                for one in message.points
            ]  # fmt: skip
            start_s = seconds(message.header.stamp)
            # As a controller does: what comes when it is over, from who was paused, is dropped.
            with suppress(TrajectoryRejected):
                self._follow(Trajectory(message.joint_names, points, start_s))

    def _follow(self, trajectory: Trajectory) -> None:
        self._controller.accept(trajectory, self.now_s, *self.state)

    def _speak(self) -> None:
        q, dq = self.state
        if np.abs(dq).max() > REST_RAD_S:
            self.moved_s = self.now_s
        message = JointState(name=list(self._names), position=q.tolist(), velocity=dq.tolist())
        message.header.stamp = stamp(self.now_s)
        if (said := self.words.joints(message)) is not None:
            self._joints.publish(said)
        if (state := self.words.state) is not None:
            refusal = 'LIMIT: refused on purpose' if self._refusals else ''
            self._state.publish(state_message(FciReport(self.now_s, state, self._refusals,
                                                        refusal)))  # fmt: skip

    def _on_recover(self, _: Any, response: Trigger.Response) -> Trigger.Response:
        response.success, state = self.words.heals, self.words.state
        response.message = '' if self.words.heals else 'the robot stays as it is'
        if self.words.heals and state is not None:
            self.words.state = replace(state, mode=MOVE, errors=())
        return response
