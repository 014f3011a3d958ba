# SPDX-License-Identifier: Apache-2.0
"""What the planner needs to know of a kind of task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.language.instruction import Instruction
from vidplan_core.planner.interfaces import Objective, ProposalSource, Situation, Start
from vidplan_core.planner.motion.space import MotionSpace
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.target.locating import Sighting
from vidplan_core.planner.tasks.stage_memory import StageMemory


@dataclass(frozen=True, eq=False)
class CycleLook:
    """What one cycle sees before it plans.

    Attributes:
        images: present views (1, views, 3, height, width) in [0, 1].
        poses: of the flange, (1, frames), the present last, with what the fingers measured.
        sighting: of the target in the present views, a batch of 1.
        place: of the target, (3,), as all looks have it, base frame, m.
        instruction: what to do.
        start: where the plan takes over.
    """

    images: Tensor
    poses: PoseChunk
    sighting: Sighting
    place: Tensor
    instruction: Instruction
    start: Start


class TaskKind(Protocol):
    """One kind of task; a file each.

    Attributes:
        verb: of its instructions.
        example: an instruction of this kind.
        by_pictures: whether its end is judged by pictures; by where the hand rests otherwise.
        handles: whether a policy proposes what it does. The instruction is grounded every cycle
            then, and coming to rest is imagined.
        imagined: whether the world model has seen such tasks. Where it has not, nothing is
            imagined: plans rest on what is seen after every chunk.
    """

    verb: ClassVar[str]
    example: ClassVar[str]
    by_pictures: ClassVar[bool]
    handles: ClassVar[bool]
    imagined: ClassVar[bool]

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

    def objective(self, parts: PlannerParts) -> Objective:
        """What futures are worth; `parts` may have fewer heads than the models."""
        ...

    def done(self, position: Tensor, rotation: Tensor, target: Tensor) -> bool:
        """Whether a flange that rests at (3,) m, (3, 3) has done it to a target at (3,) m."""
        ...

    def watch(self, memory: StageMemory, look: CycleLook) -> object | None:
        """The stage of the task by what is seen, for a situation; None from one without stages."""
        ...

    def finished(self, situation: Situation) -> float | None:
        """Probability in [0, 1] that it is done once the arm comes to rest, by pictures.

        None from a kind whose end is judged by where the hand rests.
        """
        ...


def staged(kind: TaskKind) -> bool:
    """Whether it goes by stages, which say what could be done and what that is worth."""
    return kind.by_pictures and not kind.handles
