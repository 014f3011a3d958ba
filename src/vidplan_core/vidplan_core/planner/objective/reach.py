# SPDX-License-Identifier: Apache-2.0
"""What a future is worth: the target's relevancy, and how near the tool comes to it.

The paper centres the relevant region in the picture. Here the picture's centre is the tool:
the region's centroid in an imagined view is followed along its ray down to the target's height
and compared with the imagined tool. In the wrist view, which moves with the hand, that is the
offset between the region and the tool's place in the very same imagined picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from vidplan_core.geometry.camera import Camera
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.heads.grounding import PEAK_SCALE
from vidplan_core.language.relevancy import Localisation
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.judge import Judgement
from vidplan_core.planner.objective.combination import (
    believed,
    best_frame,
    over_views,
    pool_uncertainty,
)

# Places farther than this from where the target was seen belong to something else.
GATE_M = 0.10
# Typical error of the remembered place, m: trusted where the imagined views show nothing.
MEMORY_TRUST_M = 0.10


class Scorer(Protocol):
    """Dense relevancy of a phrase and the place of its strongest region."""

    def relevancy(self, images: Tensor, phrase: str) -> Tensor:
        """Maps (batch, rows, columns) in [0, 1] of images (batch, 3, height, width)."""
        ...

    def localise(self, relevancy: Tensor) -> Localisation:
        """Peak (batch,) and centroid (batch, 2), x and y in [0, 1]."""
        ...


@dataclass(frozen=True)
class Sighting:
    """Where the views show the target.

    Attributes:
        points: (..., views, 3) on the plane of the target's height, base frame, m.
        certainty: (..., views) in [0, 1].
        peaks: (..., views), relevancy in [0, 1].
        maps: (..., views, rows, columns).
    """

    points: Tensor
    certainty: Tensor
    peaks: Tensor
    maps: Tensor


@dataclass(frozen=True)
class Score:
    """Value of every candidate (candidates,), its terms by name, and what was seen."""

    total: Tensor
    terms: Mapping[str, Tensor]
    sighting: Sighting


class ReachObjective:
    """Scores imagined frames for bringing the tool over the target."""

    def __init__(
        self,
        scorer: Scorer,
        threshold: float,
        cameras: Mapping[str, Camera],
        config: PlannerConfig,
    ) -> None:
        """Look with `scorer`, whose peaks count as seen from `threshold` on."""
        self._scorer, self._threshold = scorer, threshold
        self._cameras, self._config = cameras, config
        self._trust = torch.tensor([camera.trust_m for camera in cameras.values()])

    def look(self, images: Tensor, position: Tensor, rotation: Tensor, phrase: str) -> Sighting:
        """Find the phrase in views (batch, views, 3, height, width) seen from flange poses.

        position (batch, 3), rotation (batch, 3, 3): of the flange, base frame.
        """
        batch, views = images.shape[:2]
        maps = self._scorer.relevancy(images.flatten(0, 1), phrase)
        located = self._scorer.localise(maps)
        centroid = located.centroid.unflatten(0, (batch, views)).to(position.dtype)
        peaks = located.peak.unflatten(0, (batch, views)).to(position.dtype)
        height = self._config.target_height_m
        points = [
            camera.on_plane(centroid[:, view], position, rotation, height)
            for view, camera in enumerate(self._cameras.values())
        ]
        certainty = torch.sigmoid((peaks - self._threshold) / PEAK_SCALE)
        return Sighting(
            torch.stack(points, 1), certainty, peaks, maps.unflatten(0, (batch, views))
        )

    def evidence(self, sighting: Sighting, memory: Tensor, *, exact: bool = False) -> Tensor:
        """What each view's place counts, (batch, views), 1/m^2: by memory, certainty, trust.

        Gradients leave the agreement with the memory aside unless they are to be `exact`.
        """
        apart = (sighting.points - memory).square().sum(-1)
        apart = apart if exact else apart.detach()
        weight = sighting.certainty * torch.exp(-0.5 * apart / GATE_M**2)
        return weight / self._trust.to(weight).square()

    def fuse(self, sighting: Sighting, memory: Tensor, *, exact: bool = False) -> Tensor:
        """Target's place (batch, 3): views that agree with the memory, by certainty and trust."""
        weight = self.evidence(sighting, memory, exact=exact)
        faint = 1.0 / MEMORY_TRUST_M**2
        places = (weight[..., None] * sighting.points).sum(-2) + faint * memory
        return places / (weight.sum(-1, keepdim=True) + faint)

    def tool(self, position: Tensor, rotation: Tensor) -> Tensor:
        """Tool centre points (..., 3) of flange poses."""
        return tcp_position(position, rotation)

    def nothing(self, candidates: int) -> Sighting:
        """The sighting of a method that looks at no picture."""
        views = len(self._cameras)
        empty = torch.zeros(candidates, views)
        return Sighting(
            torch.zeros(candidates, views, 3), empty, empty, torch.zeros(candidates, views, 1, 1)
        )

    @property
    def trust_m(self) -> Tensor:
        """Typical error of each view's place, (views,), m."""
        return self._trust

    def distance(self, position: Tensor, rotation: Tensor, target: Tensor) -> Tensor:
        """Metres (...,) from the tool of flange poses to targets (..., 3)."""
        apart = tcp_position(position, rotation) - target
        return apart.square().sum(-1).add(1e-8).sqrt()

    def to_goal(self, position: Tensor, rotation: Tensor, target: Tensor) -> Tensor:
        """Way (..., 3), m, from the tool to where it should rest: `standoff_m` above targets."""
        above = target.new_tensor([0.0, 0.0, self._config.standoff_m])
        return target + above - tcp_position(position, rotation)

    def score(
        self,
        images: Tensor,
        position: Tensor,
        rotation: Tensor,
        phrase: str,
        memory: Tensor,
        judgement: Judgement | None = None,
    ) -> Score:
        """Value of candidates: each counts as its best scored frame.

        Args:
            images: imagined views (candidates, frames, views, 3, height, width) in [0, 1].
            position: flange (candidates, frames, 3), base frame, m.
            rotation: flange (candidates, frames, 3, 3).
            phrase: what to look for.
            memory: where the target was last seen, (3,), base frame, m.
            judgement: of the same frames by the heads; None takes the images as they are.
        """
        candidates, frames = images.shape[:2]
        places, turns = position.flatten(0, 1), rotation.flatten(0, 1)
        sighting = self.look(images.flatten(0, 1), places, turns, phrase)
        target = self.fuse(sighting, memory, exact=judgement is not None)
        terms = {
            'relevancy': sighting.peaks.mean(-1),
            'distance_m': self.distance(places, turns, target),
        }
        known = self.distance(places, turns, memory)
        terms |= self._judged(judgement, sighting, memory)
        value = self._combine(terms, known).unflatten(0, (candidates, frames))
        best, frame = best_frame(value, self._config.frame_softness)
        chosen = torch.arange(candidates, device=frame.device) * frames + frame
        picked = Sighting(
            sighting.points[chosen],
            sighting.certainty[chosen],
            sighting.peaks[chosen],
            sighting.maps[chosen],
        )
        return Score(best, {name: term[chosen] for name, term in terms.items()}, picked)

    def _judged(
        self, judgement: Judgement | None, sighting: Sighting, memory: Tensor
    ) -> dict[str, Tensor]:
        """The heads' terms by name, each (batch,) in [0, 1]."""
        terms = {}
        if judgement is not None and judgement.uncertainty is not None:
            evidence = self.evidence(sighting, memory, exact=True)
            of_views = pool_uncertainty(judgement.uncertainty.flatten(0, 1), sighting.maps)
            terms['uncertainty'] = over_views(of_views, evidence)
        if judgement is not None and judgement.value is not None:
            terms['value'] = judgement.value.flatten(0, 1)
            if judgement.staying is not None:
                terms['value_staying'] = judgement.staying.expand_as(judgement.value).flatten(0, 1)
        return terms

    def _combine(self, terms: Mapping[str, Tensor], known: Tensor) -> Tensor:
        """Scores (batch,) of terms; `known` is the distance without imagining, m.

        A distance weight of 10 per m makes 10 cm one unit; the other terms are units already.
        """
        config, doubt = self._config, self._config.doubt
        relevancy = config.relevancy_weight * terms['relevancy']
        distance = -config.distance_weight * terms['distance_m']
        value = config.value_weight * terms.get('value', torch.zeros_like(relevancy))
        if 'uncertainty' not in terms:
            return relevancy + distance + value
        trust = doubt.trust(terms['uncertainty'])
        near = believed(-config.distance_weight * known, distance, trust)
        staying = config.value_weight * terms.get('value_staying', torch.zeros_like(value))
        promising = believed(staying, value, trust)
        return trust * relevancy + near + promising - doubt.penalty(terms['uncertainty'])
