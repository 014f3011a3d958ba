# SPDX-License-Identifier: Apache-2.0
"""The objective as a list of terms: a candidate counts as its best scored frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.heads.bundle import UncertaintyEstimator
from vidplan_core.heads.detectors.latent_relevancy import LatentReader
from vidplan_core.planner.config import LATENTS
from vidplan_core.planner.interfaces import Score, Scoring, Situation
from vidplan_core.planner.objective.combination import (
    COMBINATIONS,
    Combination,
    UncertaintyPenalty,
    Weighted,
    best_frame,
    combine,
)
from vidplan_core.planner.objective.decoding import decode_frames, view_numbers
from vidplan_core.planner.objective.frames import ScoredFrames
from vidplan_core.planner.objective.term import Term
from vidplan_core.planner.objective.terms import build_terms
from vidplan_core.planner.objective.uncertainty import frame_uncertainty
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.target.locating import TargetLocator
from vidplan_core.world_model.world_model import Imagination


@dataclass(frozen=True, eq=False)
class TermObjective:
    """Scores candidates by terms.

    Attributes:
        terms: by name, in the order in which they are added up.
        numbers: of the frames that are scored, from 1.
        softness: of the maximum over them, in units of score; 0 is the maximum.
        decode: makes views (candidates, frames, views, 3, height, width), those `chosen`, of the
            frames `numbers` of latents (candidates, all frames, ...).
        locator: finds the target in them.
        uncertainty_head: None where imaginations are taken as they are.
        penalty: how uncertainty lowers scores.
        robot: whose tool is scored.
        combination: of terms and uncertainty into scores.
        chosen: numbers of the views that are looked at; none for all.
        read: finds phrases in latents; None where they are decoded and looked at.
    """

    terms: Mapping[str, Term]
    numbers: tuple[int, ...]
    softness: float
    decode: Callable[[Tensor], Tensor]
    locator: TargetLocator
    uncertainty_head: UncertaintyEstimator | None
    penalty: UncertaintyPenalty
    robot: RobotModel
    combination: Combination = combine
    chosen: tuple[int, ...] = ()
    read: LatentReader | None = None

    @staticmethod
    def build(parts: PlannerParts) -> TermObjective:
        """The objective of a configuration; raises ConfigError for an unknown term."""
        config = parts.config
        penalty = UncertaintyPenalty(
            config.usual_uncertainty, config.uncertainty_discount, config.uncertainty_weight
        )
        chosen = view_numbers(config.score_views, parts.world_model.config.views)
        decode = partial(
            decode_frames, parts.world_model, views=chosen,
            numbers=config.score_frames, neighbours=config.decode_neighbours,
        )  # fmt: skip
        return TermObjective(
            build_terms(parts), config.score_frames, config.frame_softness,
            decode, parts.locator, parts.heads.uncertainty_head,
            penalty, parts.robot, COMBINATIONS[config.combination], chosen,
            _reader(parts),
        )  # fmt: skip

    def at(self, situation: Situation) -> Scoring:
        """The objective of one cycle."""
        terms = {name: term.at(situation) for name, term in self.terms.items()}
        return partial(self._score_chunk, terms, situation)

    def score_pictures(self, situation: Situation, poses: PoseChunk, images: Tensor) -> Score:
        """What pictures that were not imagined are worth, by the terms that they can say.

        Args:
            situation: what they follow from.
            poses: of the flange, (candidates, frames).
            images: (candidates, frames, views, 3, height, width) in [0, 1].
        """
        shown = images[:, :, list(self.chosen)] if self.chosen else images
        frames = ScoredFrames(
            situation, poses, self.numbers, None, self.locator, lambda: shown, self.robot,
            self.chosen,
        )  # fmt: skip
        return self._score(self.terms, frames)

    def _score_chunk(
        self,
        terms: Mapping[str, Term],
        situation: Situation,
        chunk: PoseChunk,
        imagination: Imagination | None,
    ) -> Score:
        numbers, pictures, read = list(self.numbers), None, None
        if imagination is not None and self.read is None:
            pictures = partial(self.decode, imagination.latents)
        if imagination is not None and self.read is not None:
            scored = imagination.latents[:, numbers].flatten(0, 1)
            read = partial(self.read, scored, self.chosen)
        frames = ScoredFrames(
            situation, chunk.part(numbers), self.numbers, imagination, self.locator, pictures,
            self.robot, self.chosen, read,
        )  # fmt: skip
        return self._score(terms, frames)

    def _score(self, terms: Mapping[str, Term], frames: ScoredFrames) -> Score:
        weighted: list[Weighted] = []
        reported: dict[str, Tensor] = {}
        for name, term in terms.items():
            evidence = term.evidence(frames)
            if evidence is None:
                continue
            prior = term.prior(frames)
            weighted.append((term.weight * prior, term.weight * evidence))
            reported |= term.report(name, evidence, prior)
        if not weighted:
            raise ConfigError(f'none of the terms {", ".join(terms)} can score these frames')
        uncertainty = frame_uncertainty(self.uncertainty_head, frames)
        if uncertainty is not None:
            reported['uncertainty'] = uncertainty
        scores = self.combination(weighted, uncertainty, self.penalty)
        candidates, count = frames.poses.position.shape[:2]
        best, frame = best_frame(scores.unflatten(0, (candidates, count)), self.softness)
        chosen = torch.arange(candidates, device=frame.device) * count + frame
        return Score(best, {name: values[chosen] for name, values in reported.items()})


def _reader(parts: PlannerParts) -> LatentReader | None:
    if parts.config.relevancy != LATENTS:
        return None
    if parts.heads.relevancy is None:
        raise ConfigError(
            "relevancy 'latents' needs models with relevancy/, made by `vidplan-train "
            "relevancy-head`; these have none, so it must be 'tower'"
        )
    return parts.heads.relevancy
