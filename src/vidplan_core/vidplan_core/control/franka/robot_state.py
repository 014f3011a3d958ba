# SPDX-License-Identifier: Apache-2.0
"""What a Franka robot says of itself, and which of it forbids to move."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan_core.control.rejection import (
    CONTACT,
    ROBOT_NOT_READY,
    ROBOT_REFLEX,
    ROBOT_STOPPED,
)

# franka_msgs/FrankaRobotState: ROBOT_MODE_*.
OTHER, IDLE, MOVE, GUIDING, REFLEX, USER_STOPPED, RECOVERING = range(7)

_NOT_MOVING = {
    OTHER: (ROBOT_NOT_READY, 'the robot is in no mode to move; look at Desk'),
    IDLE: (ROBOT_NOT_READY, 'the robot is idle; activate its controller, or call adapter/recover'),
    GUIDING: (ROBOT_STOPPED, 'a person guides the robot by hand'),
    REFLEX: (ROBOT_REFLEX, 'the robot stopped itself'),
    USER_STOPPED: (ROBOT_STOPPED, 'the enabling device or the emergency stop is pressed'),
    RECOVERING: (ROBOT_NOT_READY, 'the robot recovers from an error'),
}


@dataclass(frozen=True)
class RobotState:
    """One report of the robot.

    Attributes:
        mode: one of this module's constants.
        errors: names of what is wrong now, as libfranka names them.
        last_errors: names of what ended the last motion.
        collisions: where the robot feels a collision: joints, or axes of the tool.
        contacts: where it feels a contact, which has lower thresholds.
    """

    mode: int
    errors: tuple[str, ...] = ()
    last_errors: tuple[str, ...] = ()
    collisions: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()

    def fault(self, stop_on_contact: bool) -> tuple[str, str] | None:
        """Say why the robot does not or must not move, a reason and words; None if it may."""
        if self.errors:
            return ROBOT_REFLEX, f'the robot stopped itself: {", ".join(self.errors)}'
        if self.mode != MOVE:
            reason, words = _NOT_MOVING.get(self.mode, _NOT_MOVING[OTHER])
            why = f': {", ".join(self.last_errors)}' if reason == ROBOT_REFLEX else ''
            return reason, words + (why if self.last_errors else '')
        felt = self.collisions or (self.contacts if stop_on_contact else ())
        return (CONTACT, f'the robot feels a contact at {", ".join(felt)}') if felt else None
