# SPDX-License-Identifier: Apache-2.0
"""Parameters of the node `fci`."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan.parameters.robot import RobotParameters
from vidplan_core.geometry.robot import FRANKA_HAND
from vidplan_core.knobs import knob


@dataclass(frozen=True)
class FciParameters(RobotParameters):
    """How the arm is commanded without ros2_control; all read-only."""

    host: str = knob(
        '172.16.0.2', 'address of the arm, where nothing else commands it', section='The arm.'
    )
    enforce_realtime: bool = knob(
        True, 'refuse a kernel without PREEMPT_RT; false for simulators of the protocol'
    )
    realtime_priority: int = knob(
        80, 'of the process that commands once a millisecond (SCHED_FIFO); 0: as all', low=0,
        high=98,
    )  # fmt: skip
    state_rate_hz: float = knob(
        200.0, 'of joint_states and fci/state', unit='Hz', low=50.0, high=1000.0
    )
    collision_torque_nm: float = knob(
        20.0, 'at a joint, above which the arm stops itself', unit='N m', low=1.0, high=100.0
    )
    collision_force_n: float = knob(
        20.0, 'at the tool, above which the arm stops itself', unit='N', low=1.0, high=100.0
    )
    hand_speed_m_s: float = knob(
        0.08, 'of the Franka Hand, where the robot has one', unit='m/s', low=0.005, high=0.2,
        section='The hand.',
    )  # fmt: skip
    hand_force_n: float = knob(20.0, 'of a grasp', unit='N', low=1.0, high=70.0)

    @property
    def has_hand(self) -> bool:
        """Whether there is a Franka Hand to command."""
        return self.model.gripper.kind == FRANKA_HAND
