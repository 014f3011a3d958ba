# SPDX-License-Identifier: Apache-2.0
"""Objectives of comparisons: candidates that are doubted do not count, or all count the same."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from vidplan_core.data.action import PoseChunk
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.interfaces import Objective, Score, Scoring, Situation
from vidplan_core.planner.objective.combination import UncertaintyPenalty
from vidplan_core.world_model.world_model import Imagination

# A candidate whose imagination is trusted less than this is left out.
LEAST_TRUST = 0.5


@dataclass(frozen=True)
class DiscardingObjective:
    """Scores of one objective, for candidates that another one's uncertainty does not doubt.

    Attributes:
        trusting: says what futures are worth.
        doubting: reports their uncertainty.
        config: how trust falls with it.
    """

    trusting: Objective
    doubting: Objective
    config: PlannerConfig

    def at(self, situation: Situation) -> Scoring:
        """The objective of one cycle."""
        trusting, doubting = self.trusting.at(situation), self.doubting.at(situation)
        config = self.config
        penalty = UncertaintyPenalty(config.usual_uncertainty, config.uncertainty_discount)

        def score(chunk: PoseChunk, imagination: Imagination | None) -> Score:
            found = trusting(chunk, imagination)
            uncertainty = doubting(chunk, imagination).terms.get('uncertainty')
            if uncertainty is None:
                return found
            kept = penalty.trust(uncertainty) >= LEAST_TRUST
            total = torch.where(kept | ~kept.any(), found.total, -torch.inf)
            return Score(total, {**found.terms, 'uncertainty': uncertainty})

        return score


class IndifferentObjective:
    """All candidates are worth the same."""

    def at(self, situation: Situation) -> Scoring:
        """The objective of one cycle."""

        def score(chunk: PoseChunk, imagination: Imagination | None) -> Score:
            return Score(torch.zeros(len(chunk)), {})

        return score
