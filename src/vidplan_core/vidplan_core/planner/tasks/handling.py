# SPDX-License-Identifier: Apache-2.0
"""Pick and place: what is handled is judged by pictures, planned from a policy and a value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from vidplan_core.heads.bundle import Heads
from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.language.instruction import PICK, PLACE
from vidplan_core.planner.config import SERVER, WORDS
from vidplan_core.planner.interfaces import ProposalSource, Situation
from vidplan_core.planner.objective.objective import TermObjective
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.proposals.primitives import Primitives
from vidplan_core.planner.proposals.sources import Fallback, JoinedProposals, policy_source
from vidplan_core.planner.proposals.supported import SupportedProposals
from vidplan_core.planner.target.destination import SURE
from vidplan_core.planner.tasks.seen_task import SeenTask
from vidplan_core.planner.tasks.stage_memory import StageMemory
from vidplan_core.planner.tasks.task_kind import CycleLook

# The probability from which on a task counts as done.
DONE = 0.5
# A hand that is more closed than it was commanded, by this much, has not let go yet.
OPENING = 0.15
# Things this far from each other in the plane of the table are not in each other, m.
APART_M = 0.12


@dataclass(frozen=True)
class Handling(SeenTask):
    """A task that a policy knows and whose end a value head sees.

    Attributes:
        heads: with a value head that tells frames to go.
    """

    verb: ClassVar[str]
    example: ClassVar[str]
    imagined: ClassVar[bool] = True
    handles: ClassVar[bool] = True

    heads: Heads

    @classmethod
    def build(cls, parts: PlannerParts) -> Self | None:
        """Make it; None without a policy, or without a value head that sees the end."""
        known = parts.policy is not None or parts.config.base == SERVER
        if not known or not parts.heads.sees_the_end:
            return None
        return cls(parts.heads)

    def source(self, parts: PlannerParts) -> ProposalSource:
        """The policy; primitives beside it where it came no nearer.

        Beside one that reads words only they are always there: it often means another thing.
        """
        policy, basis = policy_source(parts), Primitives.build(parts)
        if parts.config.base == WORDS:
            return JoinedProposals([policy, basis])
        return Fallback(policy, SupportedProposals(basis, parts.robot))

    def objective(self, parts: PlannerParts) -> TermObjective:
        """The terms that the configuration weighs for handling."""
        known = parts.config
        config = replace(
            known,
            weights=dict(known.handling_weights),
            usual_uncertainty=known.handling_usual_uncertainty,
        )
        return TermObjective.build(replace(parts, config=config))

    def watch(self, memory: StageMemory, look: CycleLook) -> None:
        """It has no stages."""

    def finished(self, situation: Situation) -> float | None:
        """Probability in [0, 1] that the task is done: as a success detector sees it, if any.

        Else when the arm comes to rest. It is 0 while the fingers open: what they still hold lies
        in the bowl in imagination only. And it is 0 where what is placed is seen to lie apart from
        its destination.
        """
        if situation.success is not None:
            return situation.success
        assert situation.grounding is not None
        assert situation.rest is not None
        measured = float(situation.context.poses.closedness[0, -1])
        apart = self.verb == PLACE and seen_apart(situation.grounding)
        if apart or measured - situation.start.grip > OPENING:
            return 0.0
        return float(self.heads.done(situation.rest, situation.grounding)[0, -1])


def seen_apart(grounding: InstructionGrounding) -> bool:
    """Whether target and destination are both seen, and not in one place."""
    if grounding.places is None:
        return False
    target, destination = grounding.places[0]
    apart = float((target[:2] - destination[:2]).norm())
    return bool(min(target[3], destination[3]) >= SURE) and apart > APART_M


@dataclass(frozen=True)
class Picking(Handling):
    """Hold the target clear of the table."""

    verb: ClassVar[str] = PICK
    example: ClassVar[str] = 'pick up the carrot'


@dataclass(frozen=True)
class Placing(Handling):
    """Let the target lie in the destination, released."""

    verb: ClassVar[str] = PLACE
    example: ClassVar[str] = 'put the carrot in the bowl'
