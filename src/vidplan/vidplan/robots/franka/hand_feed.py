# SPDX-License-Identifier: Apache-2.0
"""The Franka Hand in the graph, as part of the node `fci`."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64

from vidplan.parameters.fci import FciParameters
from vidplan.robots.franka.fci_hand import HandProcess
from vidplan.ros import qos

_PERIOD_S = 0.05


class HandFeed:
    """Hands commands over, publishes where the fingers are, and what went wrong on `fci/hand`."""

    def __init__(self, node: Node, p: FciParameters, hand: HandProcess | None = None) -> None:
        """Listen to `gripper/command`; `hand` stands for the robot's, in tests.

        Raises:
            ConfigError: pylibfranka is not installed.
        """
        self._node, self._gripper, self._told = node, p.model.gripper, '-'
        ways = self._gripper.opening_m, p.hand_speed_m_s, p.hand_force_n
        self._hand = hand or HandProcess.of_robot(p.host, *ways)
        self._fingers = node.create_publisher(JointState, 'gripper/joint_states', qos.STATES)
        self._status = node.create_publisher(DiagnosticStatus, 'fci/hand', qos.LATCHED)
        node.create_subscription(Float64, 'gripper/command', self._on_command, qos.COMMAND)
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(_PERIOD_S, self.poll, clock=clock)

    def _on_command(self, message: Float64) -> None:
        if 0.0 <= message.data <= 1.0:
            self._hand.send(message.data)
        else:
            self._node.get_logger().error(f'closedness {message.data}: it must be in 0 .. 1')

    def poll(self) -> None:
        """Look at the hand, and publish; a hand that is not there is not published.

        While a command is under way, the hand says nothing new, and its last width is repeated.
        """
        hand, gripper = self._hand, self._gripper
        hand.poll()
        if hand.width_m >= 0.0:
            share = 1.0 - hand.width_m / gripper.opening_m
            travel = gripper.closed_position - gripper.open_position
            position = gripper.open_position + share * travel
            count = len(gripper.joints)
            message = JointState(name=list(gripper.joints), position=[position] * count)
            message.header.stamp = self._node.get_clock().now().to_msg()
            self._fingers.publish(message)
        if hand.problem != self._told:
            self._told = hand.problem
            level = DiagnosticStatus.ERROR if self._told else DiagnosticStatus.OK
            status = DiagnosticStatus(level=level, name='fci: hand', message=self._told or 'fine')
            self._status.publish(status)

    def end(self) -> None:
        """End the hand's process."""
        self._hand.end()
