# SPDX-License-Identifier: Apache-2.0
"""Proposal sources by name, and those that a configuration lists as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vidplan_core.data.action import PoseChunk
from vidplan_core.planner.config import POLICY_SERVER, SERVER
from vidplan_core.planner.interfaces import ProposalSource, Situation
from vidplan_core.planner.motion.space import MotionSpace
from vidplan_core.planner.motion.turning import TurningMotions
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.proposals.policy import PolicyProposals
from vidplan_core.planner.proposals.primitives import Primitives
from vidplan_core.planner.proposals.served import ServedProposals
from vidplan_core.planner.proposals.spatial import SpatialProposals
from vidplan_core.registry import Registry


def served(parts: PlannerParts) -> ServedProposals:
    """The policy server among other sources; where it is alone, the spatial basis stands in."""
    alone = len(parts.config.proposals) == 1
    otherwise = SpatialProposals.build(parts) if alone else None
    return ServedProposals.build(parts, MotionSpace.build(parts), otherwise)


SOURCES: Registry[Callable[[PlannerParts], ProposalSource]] = Registry(
    'proposal source',
    {
        'spatial_basis': SpatialProposals.build,
        'policy': PolicyProposals.build,
        'primitives': Primitives.build,
        POLICY_SERVER: served,
    },
)


@dataclass(frozen=True)
class JoinedProposals:
    """The candidates of several sources, one after the other."""

    sources: Sequence[ProposalSource]

    def propose(self, situation: Situation) -> PoseChunk:
        """All candidates (candidates, frames), in the order of the sources."""
        return PoseChunk.cat([source.propose(situation) for source in self.sources])


@dataclass(frozen=True)
class Fallback:
    """Candidates of one source; of another one beside them where the arm is stuck."""

    first: ProposalSource
    then: ProposalSource

    def propose(self, situation: Situation) -> PoseChunk:
        """Candidates (candidates, frames), those of the first source first."""
        found = self.first.propose(situation)
        return PoseChunk.cat([found, self.then.propose(situation)]) if situation.stuck else found


def policy_source(parts: PlannerParts) -> ProposalSource:
    """What proposes to tasks that handle things: a policy of the models, or of a server.

    Where the server fails, the models' policy stands in, or the primitives where there is none.
    """
    if parts.config.base != SERVER:
        return PolicyProposals.build(parts)
    own = Primitives if parts.policy is None else PolicyProposals
    return ServedProposals.build(parts, TurningMotions.build(parts), own.build(parts))


def build_source(parts: PlannerParts) -> ProposalSource:
    """The sources that are listed; raises ConfigError for one that is not known."""
    sources = [SOURCES.find(name)(parts) for name in parts.config.proposals]
    return sources[0] if len(sources) == 1 else JoinedProposals(sources)
