# SPDX-License-Identifier: Apache-2.0
"""Grounds the instructions of many scenes in one pass, where each names one kind of a list."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vidplan_core.data.action import PoseChunk
from vidplan_core.heads.grounding import VERBS, places_of
from vidplan_core.language.instruction import PLACE
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.world_model import WorldModel


class Grounder:
    """Reads instructions for many scenes at once, each about one kind of a fixed list."""

    def __init__(self, scorer: SemanticScorer, model: WorldModel, kinds: tuple[str, ...]) -> None:
        self._scorer, self._model, self.kinds = scorer, model, kinds

    @torch.no_grad()
    def read(self, present: Tensor, chunk: PoseChunk, verb: Tensor, kind: Tensor,
             words: tuple[str, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Text, maps and places, as `grounding.read` gives them, of rows.

        Args:
            present: latents (rows, channels, height, width).
            chunk: poses whose frame 0 is the present.
            verb, kind: numbers (rows,).
            words: how each kind is called.
        """
        dense, views = self._dense(present)
        asked = self._scorer.compare(dense, words).unflatten(0, (len(present), views))
        row = torch.arange(len(present), device=present.device)
        bowl = asked[:, :, self.kinds.index('bowl')]
        place = (verb == VERBS.index(PLACE))[:, None, None, None]
        maps = torch.stack([asked[row, :, kind], torch.where(place, bowl, 0.0)], 1)
        size = (present.shape[-2] // views, present.shape[-1])
        fitted = functional.interpolate(maps.flatten(0, 1), size, mode='bilinear')
        known = self._scorer.encode_text(words)
        said = [functional.one_hot(verb, len(VERBS)).to(known), known[kind],
                known[self.kinds.index('bowl')] * place[:, 0, 0]]  # fmt: skip
        places = places_of(self._scorer, self._model.config.cameras, maps, chunk)
        return torch.cat(said, 1), fitted.flatten(1, 2).unflatten(0, maps.shape[:2]), places

    def _dense(self, present: Tensor) -> tuple[Tensor, int]:
        parts, views = [], len(self._model.config.views)
        for some in present.split(128):
            pictures = self._model.decode(some[:, None])[:, 0].float().clamp(0.0, 1.0)
            parts.append(self._scorer.dense(pictures.flatten(0, 1)))
        return torch.cat(parts), views
