# SPDX-License-Identifier: Apache-2.0
"""Commands an arm through the action of its joint trajectory controller, which answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.node import Node

from vidplan.robots.adapter_status import NO_INCIDENT, Incident
from vidplan.robots.trajectory_topic import OnFault
from vidplan.ros.conversions import trajectory_message
from vidplan_core.control.commands import NO_PLAN, TrajectoryCommand
from vidplan_core.control.rejection import ABORTED, REFUSED
from vidplan_core.control.timeline import Follows

# A controller answers a goal within its cycle; so much is left for the network, s.
_ANSWER_S = 0.3

# control_msgs/FollowJointTrajectory: error codes of a result.
_CODES = {
    0: 'SUCCESSFUL', -1: 'INVALID_GOAL', -2: 'INVALID_JOINTS', -3: 'OLD_HEADER_TIMESTAMP',
    -4: 'PATH_TOLERANCE_VIOLATED', -5: 'GOAL_TOLERANCE_VIOLATED',
}  # fmt: skip


class TrajectoryAction:
    """Sends each trajectory as a goal of FollowJointTrajectory, and hears what becomes of it.

    A newer goal replaces the one before, which the controller then aborts for its client: of
    results only the newest goal's counts. Tolerances are those of the controller's parameters.
    """

    def __init__(
        self,
        node: Node,
        client: Any,
        goal_of: Callable[[Any], Any],
        on_fault: OnFault,
        *,
        stamped: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Command an arm.

        Args:
            node: that commands it.
            client: of the action.
            goal_of: makes a goal of a trajectory message.
            on_fault: called with what went wrong, and what the arm follows since.
            stamped: whether trajectories of plans say when they begin.
            clock: steady time, s.
        """
        self._node, self._client, self._goal_of = node, client, goal_of
        self._on_fault, self._stamped, self._clock = on_fault, stamped, clock
        self._sent = self._answered = 0
        self._sent_s = 0.0
        self.error_rad = 0.0

    def send(self, command: TrajectoryCommand) -> None:
        """Replace what the controller follows."""
        stamped = self._stamped and command.plan_id != NO_PLAN
        goal = self._goal_of(trajectory_message(command, stamped=stamped))
        self._sent += 1
        self._sent_s = self._clock()
        answer = self._client.send_goal_async(goal, feedback_callback=self._on_feedback)
        answer.add_done_callback(partial(self._on_answer, self._sent))

    def poll(self) -> None:
        """Look whether an answer is overdue; to be called regularly."""
        if self._answered < self._sent and self._clock() - self._sent_s > _ANSWER_S:
            self._answered = self._sent
            message = f'the controller did not answer a trajectory within {_ANSWER_S} s'
            # Whether it follows what was sent or not, that ends at rest.
            self._on_fault(REFUSED, message, Follows.NOTHING)

    @property
    def problem(self) -> Incident:
        """Why nothing that is sent would be followed."""
        if self._client.server_is_ready():
            return NO_INCIDENT
        name = self._client._action_name
        return Incident('NO_CONTROLLER', f'no action server {name}; is a controller active?')

    @property
    def writers(self) -> int:
        """How many nodes command the arm, this one included; others do so by the topic."""
        topic = self._client._action_name.rpartition('/')[0] + '/joint_trajectory'
        return 1 + int(self._node.count_publishers(topic))

    def values(self) -> dict[str, object]:
        """What diagnostics tell: how far the arm is from what the controller is commanded."""
        return {'controller_error_rad': self.error_rad}

    def flush(self) -> None:
        """Requests of an action are reliable, and nothing tells when they have arrived."""

    def _on_feedback(self, message: Any) -> None:
        errors = message.feedback.error.positions
        self.error_rad = max((abs(error) for error in errors), default=0.0)

    def _on_answer(self, number: int, future: Any) -> None:
        overdue = self._answered >= number
        self._answered = max(self._answered, number)
        handle = future.result()
        if handle.accepted:
            handle.get_result_async().add_done_callback(partial(self._on_result, number))
        elif not overdue:
            # After a later one was sent, nobody knows what the arm follows.
            follows = Follows.BEFORE if number == self._sent else Follows.NOTHING
            message = 'the controller refused a trajectory; its log says why (stamp, joints, rest)'
            self._on_fault(REFUSED, message, follows)

    def _on_result(self, number: int, future: Any) -> None:
        answer = future.result()
        if number != self._sent or answer.status == GoalStatus.STATUS_SUCCEEDED:
            return
        code = int(answer.result.error_code)
        words = answer.result.error_string or 'it was cancelled, or the controller deactivated'
        name = _CODES.get(code, f'error {code}')
        message = f'the controller gave up a trajectory, {name}: {words}'
        self._on_fault(ABORTED, message, Follows.NOTHING)
