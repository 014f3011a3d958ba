# SPDX-License-Identifier: Apache-2.0
"""Commands an arm through a controller that takes targets and no trajectories, as CRISP's do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import JointState

from vidplan.robots.trajectory_topic import OnFault, PublishedCommands
from vidplan.ros import qos
from vidplan.ros.conversions import stamp
from vidplan_core.control.commands import CommittedMotion, TrajectoryCommand
from vidplan_core.control.franka.set_points import SetPoints
from vidplan_core.control.rejection import REFUSED
from vidplan_core.control.timeline import Follows
from vidplan_core.errors import CommandRejectedError
from vidplan_core.geometry.limits import JointLimits

Committed = Callable[[float], CommittedMotion]

# So long after the end of a motion its end is sent again: one lost target must not matter, s.
_AFTER_S = 0.3


class TrajectoryStream(PublishedCommands):
    """Publishes joint targets (crisp_controllers: `target_joint`), many a second.

    What is sent ends at rest only as long as this process lives; a controller that hears no more
    keeps the last target, which an impedance holds softly.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        rate_hz: float,
        limits: JointLimits,
        committed: Committed,
        on_fault: OnFault,
    ) -> None:
        """Publish from a node.

        Args:
            node: that commands the arm.
            topic: of the targets, sensor_msgs/JointState.
            rate_hz: of targets while the arm moves.
            limits: that no motion may break.
            committed: says what the arm will do from a time on.
            on_fault: called with what went wrong, and what the arm follows since.
        """
        super().__init__(node, node.create_publisher(JointState, topic, qos.COMMAND))
        self._limits, self._on_fault = limits, on_fault
        self._committed = committed
        self._points: SetPoints | None = None
        self._names: Sequence[str] = limits.names
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(1.0 / rate_hz, self._publish, clock=steady)

    def send(self, command: TrajectoryCommand) -> None:
        """Follow a trajectory from now on."""
        now_s = self._now_s()
        if self._points is None or now_s > self._points.end_s + _AFTER_S:
            self._points = SetPoints(self._committed(now_s).q[0], self._limits)
        points = command.points
        times_s = [command.stamp_s + point.time_from_start_s for point in points]
        q, dq, ddq = ([getattr(one, name) for one in points] for name in ('q', 'dq', 'ddq'))
        try:
            self._points.accept(now_s, times_s, q, dq, ddq)
        except CommandRejectedError as error:
            self._on_fault(REFUSED, str(error), Follows.BEFORE)
        self._publish()

    def _now_s(self) -> float:
        return float(self._node.get_clock().now().nanoseconds * 1e-9)

    def _publish(self) -> None:
        now_s = self._now_s()
        if self._points is None or now_s > self._points.end_s + _AFTER_S:
            return
        q, dq, _ = self._points.sample(now_s)
        target = JointState(name=list(self._names), position=q.tolist(), velocity=dq.tolist())
        target.header.stamp = stamp(now_s)
        self.publisher.publish(target)
