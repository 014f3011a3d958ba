# SPDX-License-Identifier: Apache-2.0
"""Latents of recorded and of imagined moments, with what the tower says of them decoded."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.heads.inputs import latents_of_views
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_core.world_model.world_model import WorldModel
from vidplan_sim.objects.catalogue import kind_named
from vidplan_training.collect.contact.episode import KIND_NAMES
from vidplan_training.collect.scene_files import Recorded, SceneFiles
from vidplan_training.recipes.recorded_scenes import poses_of

# Longest imagined motion along each axis, m.
REACH_M = 0.1


@dataclass(frozen=True, eq=False)
class LatentMoments:
    """Moments in latents and as the tower sees them decoded.

    latents: normalised, float16 (moments, views, channels, rows, columns); dense: the tower's
    embeddings, float16 (moments, views, dim, rows, columns); position (moments, 3), rotation
    (moments, 3, 3): of the flange; objects: places of all kinds, (moments, kinds, 3), base frame,
    m, not a number for what is not there; imagined (moments,): whether nobody saw it; scene
    (moments,): seeds.
    """

    latents: Tensor
    dense: Tensor
    position: Tensor
    rotation: Tensor
    objects: Tensor
    imagined: Tensor
    scene: Tensor

    def __len__(self) -> int:
        return len(self.scene)

    def rows(self, index: Tensor) -> LatentMoments:
        """Some of the moments."""
        return LatentMoments(*(getattr(self, field.name)[index] for field in fields(self)))

    @staticmethod
    def cat(parts: list[LatentMoments]) -> LatentMoments:
        """Join."""
        names = [field.name for field in fields(LatentMoments)]
        return LatentMoments(
            *(torch.cat([getattr(part, name) for part in parts]) for name in names)
        )


class LatentLooker:
    """Makes moments of recorded looks: the present, and the end of a motion that is imagined."""

    def __init__(self, model: WorldModel, scorer: SemanticScorer) -> None:
        self._model, self._scorer = model, scorer

    @torch.no_grad()
    def read(self, looks: SceneFiles, seed: int) -> LatentMoments | None:
        """The moments of a scene; None where nothing was recorded."""
        found = looks.read(seed)
        if found is None:
            return None
        model, views = self._model, len(self._model.config.views)
        present, imagined, chunk = self._imagine(found, seed)
        latents = torch.cat([present, imagined])
        pictures = model.decode(latents[:, None])[:, 0]
        dense = self._scorer.dense(pictures.flatten(0, 1)).unflatten(0, pictures.shape[:2])
        count = len(present)
        return LatentMoments(
            latents_of_views(latents, views).half(), dense.half(),
            torch.cat([chunk.position[:, 0], chunk.position[:, -1]]),
            torch.cat([chunk.rotation[:, 0], chunk.rotation[:, -1]]),
            torch.from_numpy(found['objects']).float().repeat(2, 1, 1),
            torch.arange(2 * count) >= count, torch.full((2 * count,), seed),
        )  # fmt: skip

    def _imagine(self, found: Recorded, seed: int) -> tuple[Tensor, Tensor, PoseChunk]:
        """Latents of the present and of the last frame (looks, ...), and the motions."""
        sizes, poses = self._model.config, poses_of(found)
        images = torch.from_numpy(found['images']).flatten(1, 2)[:, None]
        past = sizes.history_frames
        context = self._model.context(
            images.expand(-1, past, -1, -1, -1),
            PoseChunk(
                poses.position.expand(-1, past, -1), poses.rotation.expand(-1, past, -1, -1),
                poses.closedness.expand(-1, past),
            ),
        )  # fmt: skip
        chunk = wandering(poses, sizes.frames, torch.Generator().manual_seed(seed))
        imagination = self._model.imagine(context, chunk, SamplingConfig(1), seed)
        return context.latents[:, -1], imagination.latents[:, -1], chunk


def wandering(poses: PoseChunk, frames: int, rng: torch.Generator) -> PoseChunk:
    """Straight motions (moments, frames) somewhere from poses (moments, 1)."""
    count = len(poses.position)
    way = REACH_M * (2.0 * torch.rand(count, 1, 3, generator=rng) - 1.0)
    share = torch.linspace(0.0, 1.0, frames)[None, :, None]
    return PoseChunk(
        poses.position + share * way, poses.rotation.expand(-1, frames, -1, -1),
        poses.closedness.expand(-1, frames),
    )  # fmt: skip


def noun_of(kind: int) -> str:
    """What a kind of thing is called."""
    return kind_named(KIND_NAMES[kind]).noun


def nouns() -> list[str]:
    """What all kinds are called."""
    return [noun_of(kind) for kind in range(len(KIND_NAMES))]
