# SPDX-License-Identifier: Apache-2.0
"""Hears what a Franka robot says of itself, through franka_robot_state_broadcaster."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.serialization import deserialize_message

from vidplan.ros import qos
from vidplan_core.control.franka.robot_state import RobotState
from vidplan_core.control.rejection import STALE_ROBOT_STATE
from vidplan_eval.bags.recording import ROBOT_STATE

# It speaks a thousand times a second; silence is longer than this, s.
_SILENT_S = 0.25
_AXES = ('x', 'y', 'z')


class RobotStateFeed:
    """Keeps the newest state as bytes: it is read when somebody looks, not at 1 kHz."""

    def __init__(
        self,
        node: Node,
        kind: type,
        stop_on_contact: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Hear messages of a kind, franka_msgs/FrankaRobotState."""
        self._kind, self._stop_on_contact, self._clock = kind, stop_on_contact, clock
        self._bytes: bytes | None = None
        self._heard_s = clock()
        self._state: RobotState | None = None
        self._topic = node.create_subscription(
            kind, ROBOT_STATE, self._on_bytes, qos.SENSOR, raw=True
        ).topic_name

    def _on_bytes(self, data: bytes) -> None:
        self._bytes, self._heard_s = data, self._clock()

    def fault(self) -> tuple[str, str] | None:
        """Say why the robot does not or must not move, a reason and words; None if it may."""
        silent_s = self._clock() - self._heard_s
        if silent_s > _SILENT_S or (self._bytes is None and self._state is None):
            message = f'no robot state for {silent_s:.1f} s on {self._topic}; is it active?'
            return STALE_ROBOT_STATE, message
        if self._bytes is not None:
            self._state = read_robot_state(deserialize_message(self._bytes, self._kind))
            self._bytes = None
        return self._state.fault(self._stop_on_contact) if self._state else None

    def refusal(self) -> str:
        """Say nothing: of trajectories the robot knows nothing."""
        return ''


def read_robot_state(message: Any) -> RobotState:
    """Return what a FrankaRobotState says."""
    felt = message.collision_indicators
    return RobotState(
        int(message.robot_mode),
        _names(message.current_errors),
        _names(message.last_motion_errors),
        _felt(felt, 'collision'),
        _felt(felt, 'contact'),
    )


def _names(errors: Any) -> tuple[str, ...]:
    """Names of the errors that are set."""
    return tuple(name for name in errors.get_fields_and_field_types() if getattr(errors, name))


def _felt(indicators: Any, what: str) -> tuple[str, ...]:
    """Joints and axes at which a contact or collision is felt."""
    joints = getattr(indicators, f'is_joint_{what}')
    found = [f'joint {index + 1}' for index, value in enumerate(joints) if value]
    for kind, words in (('linear', 'the tool along'), ('angular', 'the tool about')):
        vector = getattr(indicators, f'is_cartesian_{kind}_{what}')
        found += [f'{words} {axis}' for axis in _AXES if getattr(vector, axis)]
    return tuple(found)
