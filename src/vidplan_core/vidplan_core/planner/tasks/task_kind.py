# SPDX-License-Identifier: Apache-2.0
"""What the planner needs to know of a kind of task."""

from __future__ import annotations

from typing import ClassVar, Protocol

from torch import Tensor

from vidplan_core.planner.interfaces import ProposalSource, Situation, Start
from vidplan_core.planner.motion.space import MotionSpace
from vidplan_core.planner.objective.objective import TermObjective
from vidplan_core.planner.parts import PlannerParts


class TaskKind(Protocol):
    """One kind of task; a file each.

    Attributes:
        verb: of its instructions.
        example: an instruction of this kind.
        by_pictures: whether its end is judged by pictures, in which the instruction is grounded
            every cycle; by where the hand rests otherwise.
    """

    verb: ClassVar[str]
    example: ClassVar[str]
    by_pictures: ClassVar[bool]

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

    def motions(self, parts: PlannerParts) -> MotionSpace:
        """What refinement moves in."""
        ...

    def source(self, parts: PlannerParts) -> ProposalSource:
        """Where candidates come from."""
        ...

    def objective(self, parts: PlannerParts) -> TermObjective:
        """What futures are worth; `parts` may have fewer heads than the models."""
        ...

    def done(self, position: Tensor, rotation: Tensor, target: Tensor) -> bool:
        """Whether a flange that rests at (3,) m, (3, 3) has done it to a target at (3,) m."""
        ...

    def finished(self, situation: Situation) -> float | None:
        """Probability in [0, 1] that it is done once the arm comes to rest, by pictures.

        None from a kind whose end is judged by where the hand rests.
        """
        ...
