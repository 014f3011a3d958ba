# SPDX-License-Identifier: Apache-2.0
"""Relevancy: how much the views look like the target."""

from __future__ import annotations

from torch import Tensor

from vidplan_core.planner.objective.frames import ScoredFrames
from vidplan_core.planner.objective.term import Term


class RelevancyTerm(Term):
    """The mean over the views of the relevancy's peak, in [0, 1]; nothing is known before."""

    def evidence(self, frames: ScoredFrames) -> Tensor | None:
        """Mean peak, (batch,)."""
        return None if frames.sighting is None else frames.sighting.peaks.mean(-1)
