# SPDX-License-Identifier: Apache-2.0
"""How far a head that reads latents agrees with the tower, in scenes that it has not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from vidplan_core.geometry.camera import Camera
from vidplan_core.heads.detectors.latent_relevancy import LatentRelevancy
from vidplan_core.metrics.intervals import scene_mean_interval
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.target.locating import Scorer, Sighting, TargetLocator
from vidplan_training.recipes.relevancy.looked import LatentMoments, noun_of

# What counts as the same place.
SAME_M, SAME_CELLS = 0.02, 1.0
Columns = dict[str, list[np.ndarray]]


class Comparing(Scorer, Protocol):
    """A scorer that compares phrases with embeddings of patches."""

    def compare(self, dense: Tensor, phrases: Sequence[str]) -> Tensor:
        """Maps (batch, phrases, rows, columns) in [0, 1]."""
        ...


@dataclass(frozen=True, eq=False)
class Agreement:
    """Compares two ways to see where things are.

    Attributes:
        head: reads latents.
        scorer: the tower and the phrases.
        cameras: of the views, by name.
        threshold: of a peak, from which on the tower has found a thing.
    """

    head: LatentRelevancy
    scorer: Comparing
    cameras: dict[str, Camera]
    threshold: float

    @torch.no_grad()
    def measure(self, moments: LatentMoments) -> dict[str, Any]:
        """Shares and means with their intervals by scene, of what was seen and of imagined."""
        columns: Columns = {}
        for found in self._compared(moments):
            for name, values in found.items():
                columns.setdefault(name, []).append(values)
        joined = {name: np.concatenate(parts) for name, parts in columns.items()}
        if not joined:
            raise ValueError('no thing is known in the held-out scenes; record more')
        return {
            'things': len(joined['scene']),
            'scenes': len(np.unique(joined['scene'])),
            'present': _summary(joined, ~joined['imagined']),
            'imagined': _summary(joined, joined['imagined']),
        }

    def _compared(self, moments: LatentMoments) -> Iterator[dict[str, np.ndarray]]:
        read = torch.stack([self.head(views) for views in moments.latents.float().unbind(1)], 1)
        for kind in range(moments.objects.shape[1]):
            there = moments.objects[:, kind].isfinite().all(-1).nonzero()[:, 0]
            if len(there):
                yield self._of_thing(moments.rows(there), read[there], kind)

    def _of_thing(self, moments: LatentMoments, read: Tensor, kind: int) -> dict[str, np.ndarray]:
        """Columns (moments,) and (moments, views) of one kind of thing."""
        place = moments.objects[:, kind]
        (ours, our_place), (theirs, their_place) = (
            self._seen(dense, moments, place, noun_of(kind))
            for dense in (read, moments.dense.float())
        )
        seen = theirs.peaks >= self.threshold
        cells = place.new_tensor([theirs.maps.shape[-1], theirs.maps.shape[-2]])
        apart = ((ours.centroids - theirs.centroids) * cells).abs().amax(-1)
        return {
            'scene': moments.scene.numpy(),
            'imagined': moments.imagined.numpy(),
            'correlation': _mean_of(_correlation(ours.maps, theirs.maps), seen),
            'found_alike': ((ours.peaks >= self.threshold) == seen).float().mean(1).numpy(),
            'same_cell': _mean_of((apart <= SAME_CELLS).float(), seen),
            'same_place': _mean_of(
                ((our_place - their_place).norm(dim=-1, keepdim=True) <= SAME_M).float(),
                seen.any(-1, keepdim=True),
            ),
        }

    def _seen(
        self, dense: Tensor, moments: LatentMoments, place: Tensor, noun: str
    ) -> tuple[Sighting, Tensor]:
        """What embeddings (moments, views, ...) show of a noun, and its fused place, m."""
        height_m = PlannerConfig().target_height_m
        locator = TargetLocator(self.scorer, self.threshold, self.cameras, height_m)
        maps = self.scorer.compare(dense.flatten(0, 1), [noun])[:, 0].unflatten(0, dense.shape[:2])
        sighting = locator.locate(maps, moments.position, moments.rotation)
        weight = locator.evidence(sighting, place[:, None])[..., None]
        return sighting, (weight * sighting.points).sum(1) / weight.sum(1).clamp(min=1e-9)


def _correlation(ours: Tensor, theirs: Tensor) -> Tensor:
    """Pearson's, of maps (..., rows, columns)."""
    a, b = (maps.flatten(-2) - maps.flatten(-2).mean(-1, keepdim=True) for maps in (ours, theirs))
    return (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1)).clamp(min=1e-9)


def _mean_of(values: Tensor, kept: Tensor) -> np.ndarray:
    """Means (moments,) of what is kept of (moments, views); nan where nothing is."""
    mean = (values * kept).sum(-1) / kept.sum(-1)
    return mean.numpy()


def _summary(columns: dict[str, np.ndarray], kept: np.ndarray) -> dict[str, Any]:
    scene = columns['scene'][kept]
    found: dict[str, Any] = {}
    for name in ('correlation', 'found_alike', 'same_cell', 'same_place'):
        values = columns[name][kept]
        if np.isfinite(values).any():
            found[name] = float(np.nanmean(values))
            found[f'{name}_95'] = scene_mean_interval(values, scene)
    return found
