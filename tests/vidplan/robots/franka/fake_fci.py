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
    goes on by itself at the velocity that it has, once; also in cycles without a command, or whose
    command is one of the next that it `loses`. It hands a state over `held_s` too late, once.
    """

    at: dict[int, object] = field(default_factory=dict)
    most_rad_s: float = 3.0
    state: FciState = field(
        default_factory=lambda: FciState(np.array(HOME), np.zeros(7), np.array(HOME), IDLE)
    )
    cycles: int = 0
    missed: int = 0
    loses: int = 0
    held_s: float = 0.0
    wall_s: float = 0.0
    obeyed: bool = True
    path: list[np.ndarray] = field(default_factory=list)
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
        self.obeyed = True

    def read(self) -> tuple[FciState, float]:
        self._happen()
        if self.state.mode != MOVE:
            raise FciError(f'motion aborted by reflex: {self.state.errors}')
        missed, self.missed = self.missed, 0
        alone = missed + (not self.obeyed)
        there = self.state.q_d + alone * CYCLE_S * self.state.dq
        ways = range(0 if self.obeyed else 1, alone + 1)
        self.path += [self.state.q_d + way * CYCLE_S * self.state.dq for way in ways]
        self.obeyed = False
        self.state = changed(self.state, q=there, q_d=there, dq_d=self.state.dq)
        self.wall_s, self.held_s = self.wall_s + (1 + missed) * CYCLE_S + self.held_s, 0.0
        return self.state, (1 + missed) * CYCLE_S

    def write(self, q: np.ndarray) -> None:
        dq = (q - self.state.q_d) / CYCLE_S
        self.commands.append(q)
        if self.loses:
            self.loses -= 1
            return
        self.obeyed = True
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
