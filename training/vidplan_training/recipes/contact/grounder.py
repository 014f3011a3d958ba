# SPDX-License-Identifier: Apache-2.0
"""Grounds the instructions of many scenes in one pass, where each names one kind of a list."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vidplan_core.data.action import PoseChunk
from vidplan_core.heads.axes import axes_of
from vidplan_core.heads.grounding import (
    VERBS,
    InstructionGrounding,
    fitted_maps,
    places_of,
)
from vidplan_core.language.instruction import PLACE
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.world_model import WorldModel


class Grounder:
    """Reads instructions for many scenes at once, each about one kind of a fixed list."""

    def __init__(self, scorer: SemanticScorer, model: WorldModel, kinds: tuple[str, ...]) -> None:
        self._scorer, self._model, self.kinds = scorer, model, kinds

    @torch.no_grad()
    def read(self, relevancy: Tensor, chunk: PoseChunk, verb: Tensor, kind: Tensor,
             words: tuple[str, ...]) -> InstructionGrounding:
        """Ground rows, as `grounding.ground` does.

        Args:
            relevancy: of all kinds in the present, (rows, kinds, views, rows, columns).
            chunk: poses whose frame 0 is the present.
            verb, kind: numbers (rows,).
            words: how each kind is called.
        """
        row = torch.arange(len(relevancy), device=relevancy.device)
        asked, bowl = relevancy[row, kind].float(), self.kinds.index('bowl')
        place = (verb == VERBS.index(PLACE))[:, None, None, None]
        maps = torch.stack([asked, torch.where(place, relevancy[:, bowl].float(), 0.0)], 1)
        config = self._model.config
        known = self._scorer.encode_text(words)
        said = [functional.one_hot(verb, len(VERBS)).to(known), known[kind],
                known[bowl] * place[:, 0, 0]]  # fmt: skip
        places = places_of(self._scorer, config.cameras, maps, chunk)
        axes = axes_of(config.cameras, maps, places, chunk)
        fitted = fitted_maps(maps, config)
        return InstructionGrounding(torch.cat(said, 1), fitted, places, maps, axes)
