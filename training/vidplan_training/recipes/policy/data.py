# SPDX-License-Identifier: Apache-2.0
"""Moments of contact episodes with the expert's choice, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.heads.axes import axes_of
from vidplan_core.heads.grounding import VERBS, fitted_maps, places_of
from vidplan_core.heads.policy.inputs import PolicyInput, beside_features, body_features
from vidplan_core.language.instruction import PICK, PLACE
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.sampling.sampler import MEAN
from vidplan_core.world_model.world_model import WorldModel
from vidplan_sim.expert.rule import LIFTED_M, TRAVEL_M
from vidplan_sim.objects.catalogue import kind_named
from vidplan_training.data.dataset import Shard
from vidplan_training.recipes.contact.annotate import EVERY, Annotator
from vidplan_training.recipes.heads.value import phrases_of
from vidplan_training.recipes.policy.blind import without_views

SHARE_PICK = 0.25  # of the moments a batch asks to pick up only
SHARE_UNPLACED = 0.15  # of them are not given where things are
SHARE_BLIND = 0.4  # of them are not shown any view: where things are must do
HAND_OVER = 2  # frames that a planner commits to, see `PlannerConfig.committed_frames`
AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class Moments:
    """Moments, one after the other.

    latents: normalised, float16 (moments, channels, rows, columns); maps: of target and bowl,
    float16; body, beside: as `PolicyInput` has them; chunks: what the expert chose to place the
    target; kind: of the target; held: whether the hand holds it; up: how far the tool is below
    where it carries things, m; lifted: whether the target is clear of the table.
    """

    latents: Tensor
    maps: Tensor
    body: Tensor
    beside: Tensor
    chunks: Tensor
    kind: Tensor
    held: Tensor
    up: Tensor
    lifted: Tensor

    def __len__(self) -> int:
        return len(self.latents)

    def rows(self, index: Tensor) -> Moments:
        """Some moments."""
        return Moments(*(getattr(self, field.name)[index] for field in fields(self)))

    @staticmethod
    def cat(parts: Sequence[Moments]) -> Moments:
        """Join."""
        return Moments(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Moments)))


class MomentReader:
    """Reads shards of contact episodes.

    Every moment is read as it is, and as a planner meets it that hands over from a motion under
    way: what the arm sees there is imagined, and things were looked up HAND_OVER frames before.
    """

    def __init__(self, model: WorldModel, scorer: SemanticScorer, most_objects: int) -> None:
        self._model, self._scorer, self._most = model, scorer, most_objects
        self._annotator = Annotator(model.autoencoder, scorer, model.mean.device)

    @torch.no_grad()
    def read(self, shard: Shard) -> Moments | None:
        """Moments of a shard in which the expert knew what to do; None without any."""
        kinds = shard.meta['kinds']
        arrays = {n: np.array(shard.array(n)) for n in
                  ('position', 'quaternion', 'closedness', 'commanded', 'goal', 'target',
                   'expert', 'held', 'objects')}  # fmt: skip
        objects = np.isfinite(arrays['objects'][:, 0, :, 0]).sum(1) - 1
        known = np.isfinite(arrays['expert']).all(-1) & (arrays['target'] >= 0)
        known[:, 1::EVERY] = False
        known &= (objects <= self._most)[:, None]
        if not known.any():
            return None
        bowl, parts = kinds.index('bowl'), []
        for hop in (0, HAND_OVER):
            later = known.copy()
            later[:, :hop] = False
            where = torch.from_numpy(np.argwhere(later))
            if len(where):
                parts.append(self._moments(shard, arrays, where, bowl, hop))
        return Moments.cat(parts)

    def _moments(
        self, shard: Shard, arrays: dict[str, np.ndarray], where: Tensor, bowl: int, hop: int
    ) -> Moments:
        episode, frame = where.unbind(1)
        have = {name: torch.from_numpy(values) for name, values in arrays.items()}
        latents, poses = self._present(shard, have, episode, frame, hop)
        # What was commanded before this moment's own decision.
        before = have['goal'][episode, (frame - 1).clamp_min(0)].float()
        commanded = torch.where(frame > 0, before, torch.zeros(()))
        target = have['target'][episode, frame].long()
        relevancy = torch.from_numpy(np.asarray(self._annotator.relevancy_of(shard)))
        seen = relevancy[episode, (frame - hop) // EVERY]
        index = torch.arange(len(seen))
        maps = torch.stack([seen[index, target], seen[:, bowl]], 1)
        looked_from = _poses(have, episode, (frame - hop)[:, None])
        places = places_of(self._scorer, self._model.config.cameras, maps.float(), looked_from)
        axes = axes_of(self._model.config.cameras, maps.float(), places, looked_from)
        objects = have['objects'][episode, frame, target]
        # A thing may be in the hand already where an episode begins.
        lying = torch.tensor([0.5 * kind_named(k).height_m for k in shard.meta['kinds']])[target]
        body = body_features(poses, commanded)
        return Moments(
            latents.half(),
            fitted_maps(maps.float(), self._model.config).half(),
            body,
            beside_features(places, axes, poses),
            have['expert'][episode, frame].float(),
            target,
            have['held'][episode, frame].long() == target,
            TRAVEL_M - (0.2 * body[:, 2] + 0.15),
            objects[:, 2] > lying + LIFTED_M,
        )

    def _present(
        self, shard: Shard, have: dict[str, Tensor], episode: Tensor, frame: Tensor, hop: int
    ) -> tuple[Tensor, PoseChunk]:
        """Normalised latents of frames, imagined `hop` frames before if any, and the last poses.

        The poses (moments, history) end with the frames.
        """
        config = self._model.config
        seen = (frame - hop)[:, None] + torch.arange(1 - config.history_frames, 1)
        poses = _poses(have, episode, seen.clamp_min(0))
        latents = self._latents(shard, episode, seen.clamp_min(0))
        if not hop:
            return latents[:, -1], poses
        last = have['position'].shape[1] - 1
        new = ((frame - hop)[:, None] + torch.arange(config.frames)).clamp_max(last)
        chunk = _poses(have, episode, new)
        chunk.closedness[:, 1:] = have['commanded'][episode[:, None], new[:, 1:]].float()
        parts = [
            self._imagined(Context(latents[some], poses.rows(some)), chunk.rows(some), hop)
            for some in (slice(k, k + AT_ONCE) for k in range(0, len(frame), AT_ONCE))
        ]
        found, poses_there = zip(*parts, strict=True)
        return torch.cat(found), PoseChunk.cat(list(poses_there))

    def _imagined(
        self, context: Context, chunk: PoseChunk, hop: int
    ) -> tuple[Tensor, PoseChunk]:
        found = self._model.imagine(context, chunk, MEAN, hop)
        later = self._model.advance(context, found.latents, found.measured, hop)
        return later.latents[:, -1], later.poses

    def _latents(self, shard: Shard, episode: Tensor, frames: Tensor) -> Tensor:
        """Normalised latents (moments, frames, ...) of frames (moments, frames)."""
        every = self._annotator.latents_of(shard)
        raw = torch.from_numpy(every[episode[:, None].numpy(), frames.numpy()])
        return (raw.float() - self._model.mean) / self._model.std


def _poses(have: dict[str, Tensor], episode: Tensor, frames: Tensor) -> PoseChunk:
    """Measured poses (moments, frames) of frames (moments, frames)."""
    position, quaternion, closedness = (
        have[name][episode[:, None], frames].float()
        for name in ('position', 'quaternion', 'closedness')
    )
    return PoseChunk(position, quaternion_to_matrix(quaternion), closedness)


class Phrases:
    """Embeddings of all words for every kind, drawn at random."""

    def __init__(self, scorer: SemanticScorer, kinds: Sequence[str]) -> None:
        words = [(kind, *phrases_of(kind)) for kind in kinds]
        self._bowl = list(kinds).index('bowl')
        self._counts = torch.tensor([len(w) for w in words])
        known = [scorer.encode_text(w).float().cpu() for w in words]
        self._table = torch.zeros(len(kinds), int(self._counts.max()), known[0].shape[1])
        for row, found in zip(self._table, known, strict=True):
            row[: len(found)] = found

    def text(self, pick: Tensor, kind: Tensor, rng: torch.Generator | None) -> Tensor:
        """Instructions (batch, width) to pick or to place kinds; with a generator in any words."""
        target, bowl = self._of(kind, rng), self._of(torch.full_like(kind, self._bowl), rng)
        verb = torch.where(pick, VERBS.index(PICK), VERBS.index(PLACE))
        hot = torch.nn.functional.one_hot(verb, len(VERBS)).float()
        return torch.cat([hot, target, bowl * ~pick[:, None]], 1)

    def _of(self, kind: Tensor, rng: torch.Generator | None) -> Tensor:
        number = torch.zeros_like(kind)
        if rng is not None:
            draw = torch.rand(len(kind), generator=rng)
            number = (draw * self._counts[kind]).long()
        return self._table[kind, number]


def lesson(
    moments: Moments, phrases: Phrases, grounded: bool, rng: torch.Generator | None = None,
    noise: float = 0.0,
) -> tuple[PolicyInput, Tensor]:
    """Inputs and the expert's chunks (batch, 5).

    A generator varies words and verb, withholds places from some and views from others, and
    disturbs latents by up to `noise`.
    """
    count = len(moments)
    pick, placed = torch.zeros(count, dtype=torch.bool), torch.ones(count)
    latents = moments.latents.float()
    if rng is not None:
        pick = torch.rand(count, generator=rng) < SHARE_PICK
        placed = (torch.rand(count, generator=rng) >= SHARE_UNPLACED).float()
        level = noise * torch.rand((count, 1, 1, 1), generator=rng)
        latents = latents + level * torch.randn(latents.shape, generator=rng)
    inputs = PolicyInput(
        latents,
        moments.body,
        phrases.text(pick, moments.kind, rng),
        moments.maps.float() * _shown(pick) if grounded else None,
        moments.beside * placed[:, None] if grounded else None,
    )
    chunks = torch.where((pick & moments.held)[:, None], _lift(moments), moments.chunks)
    if rng is None or not grounded:
        return inputs, chunks
    blind = (torch.rand(count, generator=rng) < SHARE_BLIND) & (placed > 0)
    return without_views(inputs, chunks, blind, rng)


def _shown(pick: Tensor) -> Tensor:
    """The destination's map is empty where there is none, (batch, 2, 1, 1)."""
    return torch.stack([torch.ones(len(pick)), (~pick).float()], 1)[..., None, None]


def _lift(moments: Moments) -> Tensor:
    """What the expert does with what it holds and shall only pick up: up, then stay."""
    rise = torch.where(moments.lifted, 0.0, moments.up.clamp(-0.14, 0.14))
    zero = torch.zeros_like(rise)
    return torch.stack([zero, zero, rise, zero, torch.ones_like(rise)], 1)
