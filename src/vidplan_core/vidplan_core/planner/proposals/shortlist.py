# SPDX-License-Identifier: Apache-2.0
"""Which candidates are worth imagining, by what is known before."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.planner.interfaces import Objective, Situation


@dataclass(frozen=True)
class Shortlist:
    """The most promising candidates by their poses alone.

    Imagining is most of what a plan costs, and a motion away from the target hardly ever turns
    out to be the best one.

    Attributes:
        objective: scores poses that nobody imagined.
        most: candidates that are imagined.
    """

    objective: Objective
    most: int

    def of(self, situation: Situation, candidates: PoseChunk) -> Tensor:
        """Indices of what is worth imagining, (up to `most`,), ascending."""
        scores = self.objective.at(situation)(candidates, None).total
        known = torch.nan_to_num(scores, nan=-torch.inf)
        return known.topk(min(self.most, len(candidates))).indices.sort().values
