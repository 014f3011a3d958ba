# SPDX-License-Identifier: Apache-2.0
"""The three seams of the planner: where candidates come from, what follows, what it is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.heads.anomaly.unexpected import Surprise
from vidplan_core.heads.detectors.grasp.network import Grasps
from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.language.instruction import Instruction
from vidplan_core.planner.target.handled_look import HandledLook
from vidplan_core.planner.target.locating import Chosen, Sighting
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.world_model import Imagination


@dataclass(frozen=True)
class Start:
    """The state that candidates start from.

    position (3,) m, rotation (3, 3), velocity (3,) m/s of the flange, q (7,) rad, closedness,
    dq (7,) rad/s; None for the least that moves the flange so. turn_rate (3,) rad/s is the
    flange's angular velocity in the base frame; None where it does not turn. `commanded` is the
    closedness that the gripper was commanded last; None where it is what the gripper measures.
    ddq (7,) rad/s^2; None for none.
    """

    position: Tensor
    rotation: Tensor
    velocity: Tensor
    q: Tensor
    closedness: float
    dq: Tensor | None = None
    turn_rate: Tensor | None = None
    commanded: float | None = None
    ddq: Tensor | None = None

    @property
    def turning(self) -> Tensor:
        """Angular velocity (3,) of the flange, rad/s."""
        return self.velocity.new_zeros(3) if self.turn_rate is None else self.turn_rate

    @property
    def grip(self) -> float:
        """What the gripper is commanded at the start."""
        return self.closedness if self.commanded is None else self.commanded


@dataclass(frozen=True)
class Situation:
    """Everything that one cycle plans from.

    Attributes:
        context: the past up to where the plan starts.
        start: the state there.
        instruction: what to do.
        target: estimated place of the target, (3,), base frame, m.
        goal: where the tool should come to rest, (3,), base frame, m.
        closedness: of the gripper during the motion, 0 open .. 1 closed.
        seed: of this cycle's random choices.
        sighting: where the present views show the target, a batch of 1; None if nobody looked.
        novelty: how strange the present views are, in standard deviations of usual ones; None
            where nobody knows.
        surprise: how far the present views are from what was imagined of them; None where nobody
            imagined them.
        grounding: of the instruction in the present views; None for kinds of tasks that need
            none.
        stuck: whether the last cycles came no nearer to the end.
        seen: views (views, 3, height, width) in [0, 1] where the plan starts; None where that is
            imagined.
        notes: what a source has to say of this cycle, such as why it proposes nothing.
        rest: coming to rest at once, imagined; None where nobody asked.
        stage: of a task that has stages, as its kind sees it; None for the others.
        chosen: which of several things of its name the target is; None where its name says it.
        gripping: whether the fingers are still on their way to what they were commanded.
        again: whether the arm has backed off lately, because it came no nearer.
        handled: what the look says of a thing that is handled; None for other tasks.
    """

    context: Context
    start: Start
    instruction: Instruction
    target: Tensor
    goal: Tensor
    closedness: float = 0.0
    seed: int = 0
    sighting: Sighting | None = None
    novelty: float | None = None
    grounding: InstructionGrounding | None = None
    stuck: bool = False
    seen: Tensor | None = None
    notes: list[str] = field(default_factory=list, compare=False)
    rest: Imagination | None = None
    stage: object | None = None
    chosen: Chosen | None = None
    gripping: bool = False
    again: bool = False
    handled: HandledLook | None = None
    surprise: Surprise | None = None

    @property
    def success(self) -> float | None:
        """Probability in [0, 1] that the instruction is fulfilled; None where nobody sees it."""
        return None if self.handled is None else self.handled.success

    @property
    def grasp(self) -> Grasps | None:
        """Grasp of the target; None where nobody knows, or the hand is closed."""
        return None if self.handled is None else self.handled.grasp

    @property
    def blocked(self) -> tuple[float, ...]:
        """Headings of the hand, rad, with which it pressed on something beside the target."""
        return () if self.handled is None else self.handled.blocked

    @property
    def of_scene(self) -> dict[str, float]:
        """What a plan reports of its scene, beside the score's terms."""
        known = {'novelty': self.novelty, 'success': self.success}
        surprise = {} if self.surprise is None else self.surprise.terms
        return surprise | {name: value for name, value in known.items() if value is not None}


@dataclass(frozen=True)
class Score:
    """Value of every candidate, (candidates,), and what it is made of, each (candidates,)."""

    total: Tensor
    terms: Mapping[str, Tensor]


# Chunks with what was imagined of them, None for a method that imagines nothing, to their score.
Scoring = Callable[[PoseChunk, Imagination | None], Score]


class ProposalSource(Protocol):
    """Where candidates come from."""

    def propose(self, situation: Situation) -> PoseChunk:
        """Candidates (candidates, frames); frame 0 is the situation's start."""
        ...


class Dynamics(Protocol):
    """What candidates would lead to."""

    def predict(self, situation: Situation, chunk: PoseChunk) -> Imagination | None:
        """Futures of a chunk (candidates, frames), differentiable in it.

        None from one that imagines nothing: candidates then count by their poses alone.
        """
        ...


class Objective(Protocol):
    """What futures are worth."""

    def at(self, situation: Situation) -> Scoring:
        """The objective of one cycle; what does not depend on the motion is computed here."""
        ...
