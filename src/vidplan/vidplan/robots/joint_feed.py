# SPDX-License-Identifier: Apache-2.0
"""Feeds the adapter's core with the joint states of its arm."""

from __future__ import annotations

from sensor_msgs.msg import JointState

from vidplan.robots.adapter_status import NO_INCIDENT, Incident
from vidplan_core.control.adapter import ActionAdapter
from vidplan_core.control.rejection import WRONG_JOINTS
from vidplan_core.data.readings import seconds
from vidplan_core.errors import ObservationError


class JointFeed:
    """Keeps the newest joint state, for a core that forgets.

    Attributes:
        problem: why the newest one was refused, if it was.
    """

    def __init__(self, core: ActionAdapter, joints: tuple[str, ...]) -> None:
        """Feed a core with the states of joints."""
        self._core, self._joints = core, joints
        self._last: JointState | None = None
        self._arrived_s = 0.0
        self.problem = NO_INCIDENT

    def take(self, message: JointState, now_s: float) -> bool:
        """Hand over a message; returns whether it is of the arm.

        Another device on the topic, such as the gripper, is left out.
        """
        if self._last is not None and not set(self._joints) & set(message.name):
            return False
        self._last, self._arrived_s = message, now_s
        self.again()
        return True

    def again(self) -> None:
        """Hand over the newest once more, if there is one."""
        if (message := self._last) is None:
            return
        try:
            self._core.on_joint_state(
                seconds(message.header.stamp), message.name, message.position, message.velocity,
                self._arrived_s,
            )  # fmt: skip
            self.problem = NO_INCIDENT
        except ObservationError as error:
            self.problem = Incident(WRONG_JOINTS, str(error))
