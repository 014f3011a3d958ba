# SPDX-License-Identifier: Apache-2.0
"""Candidates drawn from an imitation policy."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ConfigError
from vidplan_core.heads.policy.inputs import policy_input
from vidplan_core.heads.policy.network import ChunkPolicy
from vidplan_core.planner.interfaces import Situation
from vidplan_core.planner.motion.turning import LEVER_M, TurningMotions
from vidplan_core.planner.parts import PlannerParts

# The gripper does what most samples say, unless this share of them or more disagrees.
DOUBTFUL = 0.3
# Samples are spread until they are this far from their mean, root mean square, m.
LEAST_SPREAD_M = 0.008
MOST_SPREAD = 4.0  # times
OTHERWISE = 2


@dataclass(frozen=True)
class PolicyProposals:
    """Chunks of a policy; the first is its median, the others are spread around it.

    Attributes:
        policy: draws them.
        motions: makes chunks of what is drawn.
        samples: how many candidates, the median included.
    """

    policy: ChunkPolicy
    motions: TurningMotions
    samples: int

    @classmethod
    def build(cls, parts: PlannerParts) -> PolicyProposals:
        """The policy of the loaded models; raises ConfigError where there is none."""
        if parts.policy is None:
            raise ConfigError(
                "proposals has 'policy', but the loaded models have none: see "
                '`vidplan-train policy`'
            )
        return cls(parts.policy, TurningMotions.build(parts), parts.config.samples)

    @torch.no_grad()
    def propose(self, situation: Situation) -> PoseChunk:
        """Candidates (samples, frames)."""
        if situation.grounding is None:
            raise ConfigError('policy proposals are for tasks that are grounded in pictures')
        context, start = situation.context, situation.start
        commanded = torch.tensor([start.grip]).to(context.latents)
        inputs = policy_input(
            context.latents[:1, -1], context.poses.rows(slice(0, 1)), commanded,
            situation.grounding,
        )  # fmt: skip
        drawn = self.policy.sample(inputs, max(self.samples, 8), situation.seed)[0]
        return self._chunks(situation, candidates(drawn, self.samples))

    def _chunks(self, situation: Situation, numbers: Tensor) -> PoseChunk:
        motion = numbers[:, :4] * numbers.new_tensor([1.0, 1.0, 1.0, LEVER_M])
        return self.motions.chunk(situation.start, motion, numbers[:, 4])


def candidates(drawn: Tensor, count: int) -> Tensor:
    """Numbers (count, 5) of candidates from drawn ones (samples, 5).

    The gripper opens or closes wholly, by vote; samples that are nearly the same are spread. Of
    more than OTHERWISE + 1 candidates the last OTHERWISE command the gripper otherwise than the
    first, once moving like it and once staying: letting go too early, or never closing, is seen by
    the value only where it may choose.
    """
    closed = (drawn[:, 4] > 0.5).float()
    share = float(closed.mean())
    majority = float(share >= 0.5)
    grip = closed if min(share, 1.0 - share) >= DOUBTFUL else torch.full_like(closed, majority)
    agree = closed == majority
    middle = drawn[agree, :4].median(0).values
    apart = drawn[:, :4] - middle
    spread = float(apart[:, :3].square().sum(1).mean().sqrt())
    factor = min(max(LEAST_SPREAD_M / max(spread, 1e-6), 1.0), MOST_SPREAD)
    others = torch.cat([middle + factor * apart, grip[:, None]], 1)
    first = torch.cat([middle, middle.new_tensor([majority])])[None]
    found = torch.cat([first, others])[:count]
    if count <= OTHERWISE + 1:
        return found
    moves = torch.stack([middle, torch.zeros_like(middle)])
    otherwise = torch.cat([moves, moves.new_full((OTHERWISE, 1), 1.0 - majority)], 1)
    return torch.cat([found[:-OTHERWISE], otherwise])
