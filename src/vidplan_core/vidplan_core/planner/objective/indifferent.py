# SPDX-License-Identifier: Apache-2.0
"""An objective to which all candidates are worth the same, for methods that do not judge them."""

from __future__ import annotations

import torch

from vidplan_core.data.action import PoseChunk
from vidplan_core.planner.interfaces import Score, Scoring, Situation
from vidplan_core.world_model.world_model import Imagination


class IndifferentObjective:
    """All candidates are worth the same."""

    def at(self, situation: Situation) -> Scoring:
        """The objective of one cycle."""

        def score(chunk: PoseChunk, imagination: Imagination | None) -> Score:
            return Score(torch.zeros(len(chunk)), {})

        return score
