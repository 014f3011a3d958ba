# SPDX-License-Identifier: Apache-2.0
"""Commands an arm through the topic of its joint trajectory controller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from trajectory_msgs.msg import JointTrajectory

from vidplan.robots.adapter_status import NO_INCIDENT, Incident
from vidplan.ros import qos
from vidplan.ros.conversions import trajectory_message
from vidplan_core.control.commands import NO_PLAN, TrajectoryCommand
from vidplan_core.control.timeline import Follows

# Longest wait for the controller to take the last message.
_ACK_S = 0.5


# Called with a reason, words, and what the arm follows since.
OnFault = Callable[[str, str, Follows], None]


class ArmCommands(Protocol):
    """A way to command an arm: what is sent replaces what its controller follows."""

    def send(self, command: TrajectoryCommand) -> None:
        """Send a trajectory; returns at once."""

    def poll(self) -> None:
        """Look at what became of it; to be called regularly."""

    @property
    def problem(self) -> Incident:
        """Why nothing that is sent would be followed."""

    @property
    def writers(self) -> int:
        """How many nodes command the arm, this one included."""

    def values(self) -> dict[str, object]:
        """What diagnostics tell."""

    def flush(self) -> None:
        """Wait, shortly, for what was sent to arrive."""


class PublishedCommands:
    """Commands that a topic carries: fire and forget, so all it knows is whether somebody listens.

    Attributes:
        publisher: of what is sent.
    """

    def __init__(self, node: Node, publisher: Publisher) -> None:
        self._node, self.publisher = node, publisher

    def poll(self) -> None:
        """A topic answers nothing."""

    def values(self) -> dict[str, object]:
        """A topic knows nothing."""
        return {}

    @property
    def problem(self) -> Incident:
        """Why nothing that is sent would be followed."""
        if self.publisher.get_subscription_count():
            return NO_INCIDENT
        topic = self.publisher.topic_name
        return Incident('NO_CONTROLLER', f'nobody listens to {topic}; is a controller active?')

    @property
    def writers(self) -> int:
        """How many nodes command the arm, this one included; only one may."""
        return int(self._node.count_publishers(self.publisher.topic_name))

    def flush(self) -> None:
        """Wait, shortly, for what was sent to arrive."""
        self.publisher.wait_for_all_acked(Duration(seconds=_ACK_S))


class TrajectoryTopic(PublishedCommands):
    """Publishes trajectories."""

    def __init__(self, node: Node, stamped: bool, silent: bool) -> None:
        """Publish from a node.

        Args:
            node: that commands the arm.
            stamped: whether trajectories of plans say when they begin.
            silent: whether nothing is published at all, as in a dry run.
        """
        topic = 'fr3_arm_controller/joint_trajectory'
        super().__init__(node, node.create_publisher(JointTrajectory, topic, qos.COMMAND))
        self._stamped, self._silent = stamped, silent

    def send(self, command: TrajectoryCommand) -> None:
        """Replace what the controller follows."""
        if self._silent:
            return
        # A stop is never stamped: a controller refuses a trajectory that is over when it arrives,
        # and a stop that comes late must stop the arm all the same.
        stamped = self._stamped and command.plan_id != NO_PLAN
        self.publisher.publish(trajectory_message(command, stamped=stamped))

    @property
    def problem(self) -> Incident:
        """Why nothing that is sent would be followed; nothing is, in a dry run."""
        return NO_INCIDENT if self._silent else super().problem
