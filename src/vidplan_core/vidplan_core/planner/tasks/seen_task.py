# SPDX-License-Identifier: Apache-2.0
"""What tasks have in common whose end is judged by pictures."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from vidplan_core.planner.interfaces import Start
from vidplan_core.planner.motion.turning import TurningMotions
from vidplan_core.planner.parts import PlannerParts


class SeenTask:
    """A task of a hand that goes down to things, turns, and commands its fingers."""

    by_pictures: ClassVar[bool] = True
    handles: ClassVar[bool] = False

    def goal(self, target: Tensor) -> Tensor:
        """The target itself."""
        return target

    def gripper(self, start: Start) -> float:
        """As it is commanded."""
        return start.grip

    def motions(self, parts: PlannerParts) -> TurningMotions:
        """Down to the table, with turns."""
        return TurningMotions.build(parts)

    def done(self, position: Tensor, rotation: Tensor, target: Tensor) -> bool:
        """Never by where the hand is: `finished` says it by what is seen."""
        return False
