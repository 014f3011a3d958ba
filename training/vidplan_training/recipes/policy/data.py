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
from vidplan_core.heads.grounding import VERBS, places_of
from vidplan_core.heads.policy.inputs import PolicyInput, beside_features, body_features
from vidplan_core.language.instruction import PICK, PLACE
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.world_model import WorldModel
from vidplan_sim.expert.rule import LIFTED_M, TRAVEL_M
from vidplan_training.data.dataset import Shard
from vidplan_training.recipes.contact.annotate import EVERY, Annotator
from vidplan_training.recipes.heads.value import phrases_of

SHARE_PICK = 0.25  # of the moments a batch asks to pick up only
SHARE_UNPLACED = 0.15  # of them are not given where things are


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
    """Reads shards of contact episodes."""

    def __init__(self, model: WorldModel, scorer: SemanticScorer, most_objects: int) -> None:
        self._model, self._scorer, self._most = model, scorer, most_objects
        self._annotator = Annotator(model.autoencoder, scorer, model.mean.device)

    @torch.no_grad()
    def read(self, shard: Shard) -> Moments | None:
        """Moments of a shard in which the expert knew what to do; None without any."""
        kinds = shard.meta['kinds']
        arrays = {n: np.array(shard.array(n)) for n in
                  ('position', 'quaternion', 'closedness', 'goal', 'target', 'expert', 'held',
                   'objects')}  # fmt: skip
        objects = np.isfinite(arrays['objects'][:, 0, :, 0]).sum(1) - 1
        known = np.isfinite(arrays['expert']).all(-1) & (arrays['target'] >= 0)
        known[:, 1::EVERY] = False
        known &= (objects <= self._most)[:, None]
        if not known.any():
            return None
        where = torch.from_numpy(np.argwhere(known))
        return self._moments(shard, arrays, where, kinds.index('bowl'))

    def _moments(
        self, shard: Shard, arrays: dict[str, np.ndarray], where: Tensor, bowl: int
    ) -> Moments:
        episode, frame = where.unbind(1)
        earlier = (frame - 1).clamp_min(0)
        both = torch.stack([earlier, frame], 1)
        have = {name: torch.from_numpy(values) for name, values in arrays.items()}

        def at(name: str, index: Tensor) -> Tensor:
            return have[name][episode[:, None], index]

        rotation = quaternion_to_matrix(at('quaternion', both).float())
        poses = PoseChunk(at('position', both).float(), rotation, at('closedness', both).float())
        # What was commanded before this moment's own decision.
        commanded = torch.where(frame > 0, at('goal', both)[:, 0].float(), torch.zeros(()))
        target = have['target'][episode, frame].long()
        relevancy = torch.from_numpy(np.asarray(self._annotator.relevancy_of(shard)))
        seen = relevancy[episode, frame // EVERY]
        index = torch.arange(len(seen))
        maps = torch.stack([seen[index, target], seen[:, bowl]], 1)
        places = places_of(self._scorer, self._model.config.cameras, maps.float(), poses.part([1]))
        objects = have['objects'][episode, frame, target]
        lying = have['objects'][episode, 0, target, 2]
        body = body_features(poses, commanded)
        return Moments(
            self._latents(shard, episode, frame),
            maps.flatten(2, 3),
            body,
            beside_features(places, poses),
            have['expert'][episode, frame].float(),
            target,
            have['held'][episode, frame].long() == target,
            TRAVEL_M - (0.2 * body[:, 2] + 0.15),
            objects[:, 2] > lying + LIFTED_M,
        )

    def _latents(self, shard: Shard, episode: Tensor, frame: Tensor) -> Tensor:
        raw = torch.from_numpy(self._annotator.latents_of(shard)[episode.numpy(), frame.numpy()])
        return ((raw.float() - self._model.mean[0]) / self._model.std[0]).half()


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

    A generator varies words and verb, withholds places from some, and disturbs latents.
    """
    count = len(moments)
    pick, placed = torch.zeros(count, dtype=torch.bool), torch.ones(count)
    latents = moments.latents.float()
    if rng is not None:
        pick = torch.rand(count, generator=rng) < SHARE_PICK
        placed = (torch.rand(count, generator=rng) >= SHARE_UNPLACED).float()
        latents = latents + noise * torch.randn(latents.shape, generator=rng)
    inputs = PolicyInput(
        latents,
        moments.body,
        phrases.text(pick, moments.kind, rng),
        moments.maps.float() * _shown(pick) if grounded else None,
        moments.beside * placed[:, None] if grounded else None,
    )
    return inputs, torch.where((pick & moments.held)[:, None], _lift(moments), moments.chunks)


def _shown(pick: Tensor) -> Tensor:
    """The destination's map is empty where there is none, (batch, 2, 1, 1)."""
    return torch.stack([torch.ones(len(pick)), (~pick).float()], 1)[..., None, None]


def _lift(moments: Moments) -> Tensor:
    """What the expert does with what it holds and shall only pick up: up, then stay."""
    rise = torch.where(moments.lifted, 0.0, moments.up.clamp(-0.14, 0.14))
    zero = torch.zeros_like(rise)
    return torch.stack([zero, zero, rise, zero, torch.ones_like(rise)], 1)
