# SPDX-License-Identifier: Apache-2.0
"""What the planner needs to know of a kind of task."""

from __future__ import annotations

from typing import ClassVar, Protocol

from torch import Tensor

from vidplan_core.planner.interfaces import Objective, Start
from vidplan_core.planner.parts import PlannerParts


class TaskKind(Protocol):
    """One kind of task; a file each.

    Attributes:
        verb: of its instructions.
        example: an instruction of this kind.
    """

    verb: ClassVar[str]
    example: ClassVar[str]

    @classmethod
    def build(cls, parts: PlannerParts) -> TaskKind | None:
        """Make it from what is loaded; None where these models cannot do it."""
        ...

    def goal(self, target: Tensor) -> Tensor:
        """Where the tool should come to rest, (3,), for a target (3,), base frame, m."""
        ...

    def gripper(self, start: Start) -> float:
        """Closedness during the motion, 0 open .. 1 closed."""
        ...

    def objective(self, parts: PlannerParts) -> Objective:
        """What futures are worth; `parts` may have fewer heads than the models."""
        ...

    def done(self, position: Tensor, rotation: Tensor, target: Tensor) -> bool:
        """Whether a flange that rests at (3,) m, (3, 3) has done it to a target at (3,) m."""
        ...
