# SPDX-License-Identifier: Apache-2.0
"""The arm in the graph, on a host without ros2_control.

It takes trajectories as a joint trajectory controller does, and says more: on `fci/state`, whether
the arm is commanded, what stopped it and which trajectories were refused. What has to happen once
a millisecond happens in a process of its own.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vidplan.parameters.fci import FciParameters
from vidplan.robots.franka.fci_link import FciReport, Follow, Recover
from vidplan.robots.franka.fci_process import REST_S, FciProcess
from vidplan.robots.franka.hand_feed import HandFeed
from vidplan.ros import qos
from vidplan.ros.conversions import stamp
from vidplan.ros.parameters import declare
from vidplan.ros.running import run_node_with_shutdown
from vidplan_core.control.franka.robot_state import MOVE
from vidplan_core.data.readings import seconds


class FciNode(Node):
    """Hands trajectories to the process at the arm, and publishes what that reports."""

    def __init__(self, **kwargs: Any) -> None:
        """Start that process.

        Raises:
            ConfigError: the arm does not answer.
        """
        super().__init__('fci', **kwargs)
        p = self.parameters = declare(self, FciParameters)
        self._names, self._ending = p.model.joint_names, False
        self._process = FciProcess(p)
        self._link = self._process.link
        self._hand = HandFeed(self, p) if p.has_hand else None
        self._create_interfaces()
        self._on_report(self._process.first)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _create_interfaces(self) -> None:
        self._joints = self.create_publisher(JointState, 'joint_states', qos.STATES)
        self._state = self.create_publisher(DiagnosticStatus, 'fci/state', qos.STATES)
        self.create_subscription(
            JointTrajectory, 'fr3_arm_controller/joint_trajectory', self._on_trajectory,
            qos.COMMAND,
        )  # fmt: skip
        self.create_service(Trigger, 'fci/recover', self._on_recover)

    def _on_trajectory(self, message: JointTrajectory) -> None:
        names = tuple(message.joint_names)
        if names != self._names:
            self.get_logger().error(f'a trajectory is for {names}, not {self._names}')
            return
        start_s = seconds(message.header.stamp)
        points = message.points
        times, *states = (
            np.array(values, np.float64)
            for values in (
                [seconds(point.time_from_start) for point in points],
                [point.positions for point in points],
                [point.velocities for point in points],
                [point.accelerations for point in points],
            )
        )
        self._link.say(Follow(start_s or None, times, *states))

    def _on_recover(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._link.say(Recover())
        response.success, response.message = True, 'asked; watch fci/state'
        return response

    def _read(self) -> None:
        while self._process.runs:
            if isinstance(report := self._link.wait(0.5), FciReport):
                self._on_report(report)
        if not self._ending:
            self.get_logger().fatal('the process at the arm has ended; so does this one')
            os.kill(os.getpid(), signal.SIGTERM)

    def _on_report(self, report: FciReport) -> None:
        state, when = report.state, stamp(report.stamp_s)
        joints = JointState(
            name=list(self._names), position=state.q.tolist(), velocity=state.dq.tolist()
        )
        joints.header.stamp = when
        self._joints.publish(joints)
        self._state.publish(state_message(report))

    def end(self) -> bool:
        """End the process at the arm, which brings it to rest; returns True."""
        self._ending = True
        self._process.end()
        if self._hand is not None:
            self._hand.end()
        return True


def state_message(report: FciReport) -> DiagnosticStatus:
    """Return what `read_state` reads."""
    state = report.state
    commanded = state.mode == MOVE and not report.problem
    values = {
        'mode': state.mode,
        'errors': ' '.join(state.errors),
        'last_errors': ' '.join(state.last_errors),
        'collisions': ', '.join(state.collisions),
        'contacts': ', '.join(state.contacts),
        'refusals': report.refusals,
        'refusal': report.refusal,
        'success_rate': f'{state.success_rate:.3f}',
        'cycles': report.cycles,
    }
    return DiagnosticStatus(
        level=DiagnosticStatus.OK if commanded else DiagnosticStatus.ERROR,
        name='fci: arm',
        message=report.problem or ('commanded' if commanded else 'not commanded'),
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; the arm rests before it ends."""
    return run_node_with_shutdown(FciNode, FciNode.end, REST_S, args)


if __name__ == '__main__':
    sys.exit(main())
