# SPDX-License-Identifier: Apache-2.0
"""An arm at the end of Franka's interface: one that follows, judges steps, and stops itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from dataclasses import replace as changed

import numpy as np

from tests.vidplan.robots.fake_robot import HOME
from vidplan.robots.franka.fci_arm import FciError, FciState
from vidplan_core.control.franka.robot_state import IDLE, MOVE, REFLEX

CYCLE_S = 0.001


@dataclass
class FakeFci:
    """Follows each command exactly; a step of position faster than the arm ends the motion.

    `at` holds what happens in a cycle, by its number: functions of the arm. In `missed` cycles it
    goes on by itself at the velocity that it has, once.
    """

    at: dict[int, object] = field(default_factory=dict)
    most_rad_s: float = 3.0
    state: FciState = field(
        default_factory=lambda: FciState(np.array(HOME), np.zeros(7), np.array(HOME), IDLE)
    )
    cycles: int = 0
    missed: int = 0
    commands: list[np.ndarray] = field(default_factory=list)
    recovered: int = 0
    ended: bool = False

    def look(self) -> FciState:
        self._happen()
        return self.state

    def start(self) -> None:
        if self.state.mode != IDLE:
            raise FciError('command not possible in the current mode')
        self.state = changed(self.state, mode=MOVE)

    def read(self) -> tuple[FciState, float]:
        self._happen()
        if self.state.mode != MOVE:
            raise FciError(f'motion aborted by reflex: {self.state.errors}')
        missed, self.missed = self.missed, 0
        there = self.state.q_d + missed * CYCLE_S * self.state.dq
        self.state = changed(self.state, q=there, q_d=there, dq_d=self.state.dq)
        return self.state, (1 + missed) * CYCLE_S

    def write(self, q: np.ndarray) -> None:
        dq = (q - self.state.q_d) / CYCLE_S
        self.commands.append(q)
        if np.abs(dq).max() > self.most_rad_s:
            self.reflex('joint_motion_generator_velocity_discontinuity')
        else:
            self.state = changed(self.state, q=q, q_d=q, dq=dq)

    def recover(self) -> None:
        self.recovered += 1
        self.state = changed(self.state, mode=IDLE, errors=())

    def end(self) -> None:
        self.ended = True

    def reflex(self, name: str) -> None:
        self.state = changed(self.state, mode=REFLEX, errors=(name,), dq=np.zeros(7))

    def _happen(self) -> None:
        self.cycles += 1
        if happens := self.at.pop(self.cycles, None):
            happens()  # type: ignore[operator]
