# SPDX-License-Identifier: Apache-2.0
"""A robot that the operator's page shows and commands, without ROS."""

from __future__ import annotations

import numpy as np

from vidplan.page.watch import PageError, Watch
from vidplan_core.language.instruction import parse_instruction


class PageRobot:
    """Keeps what it was told; `mute` makes it confirm no stop."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.sent: list[str] = []
        self.stops = 0
        self.mute = False

    def send(self, instruction: str) -> None:
        parse_instruction(instruction)
        self.sent.append(instruction)
        self.watch.tell('goal', instruction=instruction, phase='executing', cycle=3)

    def stop(self) -> str:
        self.stops += 1
        if self.mute:
            raise PageError('STOP is NOT CONFIRMED')
        return 'at rest in 0.120 s'

    def show(self, pictures: dict[str, np.ndarray]) -> None:
        """Be alive, and see these."""
        for name, picture in pictures.items():
            self.watch.see(name, picture)
        self.watch.alive('observation')
        self.watch.alive('adapter')
        self.watch.tell('adapter', adapter='executing', problem='none')
