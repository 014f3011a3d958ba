# SPDX-License-Identifier: Apache-2.0
"""A robot at the end of Franka's own control interface, one cycle of 1 ms after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vidplan_core.errors import ConfigError

Array = NDArray[np.float64]


# Exceptions of pylibfranka that say what the robot, or the way to it, did.
_FAILURES = (
    'FrankaException', 'ControlException', 'CommandException', 'NetworkException',
    'InvalidOperationException', 'RealtimeException',
)  # fmt: skip


class FciError(Exception):
    """The robot ended the motion, refused it, or is not there."""


@dataclass(frozen=True, eq=False)
class FciState:
    """What the robot says in one cycle.

    Attributes:
        q: measured positions (7,), rad.
        dq: measured velocities (7,), rad/s.
        q_d: commanded positions (7,), rad; with commands missing, where the robot went on to.
        mode: one of the constants of `vidplan_core.control.franka.robot_state`.
        errors: names of what is wrong now.
        last_errors: names of what ended the last motion.
        collisions: joints at which a collision is felt, from 1.
        contacts: the same of contacts.
        success_rate: share of the last commands that arrived in time, 0 to 1.
        dq_d: commanded velocities (7,), rad/s: differences of commanded positions.
        ddq_d: commanded accelerations (7,), rad/s^2: differences of these.
    """

    q: Array
    dq: Array
    q_d: Array
    mode: int
    errors: tuple[str, ...] = ()
    last_errors: tuple[str, ...] = ()
    collisions: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    success_rate: float = 1.0
    dq_d: Array = field(default_factory=lambda: np.zeros(7))
    ddq_d: Array = field(default_factory=lambda: np.zeros(7))


class FciArm(Protocol):
    """A robot that takes joint positions, one a millisecond; every call may raise FciError."""

    def look(self) -> FciState:
        """Return a state without commanding anything; not between `start` and an error."""

    def start(self) -> None:
        """Begin to command."""

    def read(self) -> tuple[FciState, float]:
        """Wait for the next cycle; its state, and the seconds since the one before."""

    def write(self, q: Array) -> None:
        """Command positions (7,), rad, for the cycle that was read."""

    def recover(self) -> None:
        """Acknowledge errors, so that `start` is possible again."""

    def end(self) -> None:
        """Let go of the robot."""


class PylibfrankaArm:
    """The robot through libfranka's own Python bindings."""

    def __init__(
        self, host: str, torque_nm: float, force_n: float, *, enforce_realtime: bool
    ) -> None:
        """Connect.

        Args:
            host: address of the robot.
            torque_nm: external torque of a joint that counts as a collision, N m.
            force_n: external force at the tool that does, N (and N m).
            enforce_realtime: whether a kernel without PREEMPT_RT is refused.

        Raises:
            ConfigError: pylibfranka is not installed.
            FciError: nobody answers at the address, or it is of another version.
        """
        try:
            import pylibfranka
        except ImportError as error:
            raise ConfigError(
                f'pylibfranka is not installed ({error}): run `pip install pylibfranka==0.21.3`'
            ) from error
        self._library, self._control = pylibfranka, None
        # Those of a kind are not derived from the first in Python.
        self._failures = tuple(getattr(pylibfranka, name) for name in _FAILURES)
        realtime = pylibfranka.RealtimeConfig
        kind = realtime.kEnforce if enforce_realtime else realtime.kIgnore
        try:
            self._robot = pylibfranka.Robot(host, kind)
            self._robot.set_collision_behavior(
                [torque_nm] * 7, [torque_nm] * 7, [force_n] * 6, [force_n] * 6
            )
        except self._failures as error:
            raise FciError(f'{host}: {error}') from error

    def look(self) -> FciState:
        """Return a state without commanding anything."""
        self._control = None  # libfranka answers one of both only
        return self._state(self._try(self._robot.read_once))

    def start(self) -> None:
        """Begin to command."""
        mode = self._library.ControllerMode.JointImpedance
        self._control = self._try(self._robot.start_joint_position_control, mode)

    def read(self) -> tuple[FciState, float]:
        """Wait for the next cycle."""
        state, step = self._try(self._control.readOnce)  # type: ignore[attr-defined]
        return self._state(state), float(step.to_sec())

    def write(self, q: Array) -> None:
        """Command positions (7,), rad."""
        command = self._library.JointPositions(q.tolist())
        self._try(self._control.writeOnce, command)  # type: ignore[attr-defined]

    def recover(self) -> None:
        """Acknowledge errors."""
        self._control = None
        self._try(self._robot.automatic_error_recovery)

    def end(self) -> None:
        """Let go of the robot."""
        self._control = None
        self._try(self._robot.stop)

    def _try(self, call: Any, *words: Any) -> Any:
        try:
            return call(*words)
        except self._failures as error:
            raise FciError(str(error)) from error

    def _state(self, state: Any) -> FciState:
        return FciState(
            np.array(state.q), np.array(state.dq), np.array(state.q_d),
            int(state.robot_mode.value), _set(state.current_errors),
            _set(state.last_motion_errors), _felt(state.joint_collision),
            _felt(state.joint_contact),
            float(state.control_command_success_rate), np.array(state.dq_d), np.array(state.ddq_d),
        )  # fmt: skip


def _set(errors: Any) -> tuple[str, ...]:
    """Names of the errors that are set."""
    if not errors:
        return ()
    names = (name for name in dir(errors) if not name.startswith('_'))
    return tuple(name for name in names if getattr(errors, name) is True)


def _felt(values: Any) -> tuple[str, ...]:
    return tuple(f'joint {index + 1}' for index, value in enumerate(values) if value)
