# SPDX-License-Identifier: Apache-2.0
"""Where an imagination starts: the past, encoded once, and which of it the network sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vidplan_core.data.action import (
    EULER_FEATURES,
    RELATIVE_FEATURES,
    PoseChunk,
    euler_features,
    relative_features,
)
from vidplan_core.data.history import EPISODE_START
from vidplan_core.errors import ModelError
from vidplan_core.world_model.config import WorldModelConfig

# How a pose is encoded as features; `droid` is what the released Ctrl-World was trained on.
FEATURES = {'relative': RELATIVE_FEATURES, 'droid': EULER_FEATURES}


@dataclass(frozen=True)
class Context:
    """The past up to the present.

    latents: (batch, memory, channels, rows, columns), normalised, the present last.
    poses: PoseChunk of (batch, memory), the present last.
    text: embedding of the instruction, (batch, width), for networks that read one.
    ages: model frames before the present of every entry, the present's 0 last; empty for
        consecutive frames.
    """

    latents: Tensor
    poses: PoseChunk
    text: Tensor | None = None
    ages: tuple[int, ...] = ()

    def expand(self, candidates: int) -> Context:
        """The same past for every candidate, without copying latents."""
        latents = self.latents.expand(candidates, -1, -1, -1, -1)
        text = None if self.text is None else self.text.expand(candidates, -1)
        return replace(self, latents=latents, poses=self.poses.expand(candidates), text=text)

    def seen(self, config: WorldModelConfig) -> Context:
        """The history that the network sees: for each wanted age the entry that is nearest."""
        if not config.history_ages or self.ages == config.history_ages:
            return self
        have = torch.tensor(self._ages())
        places = [int((have - age).abs().argmin()) for age in config.history_ages]
        return self._only(places, config.history_ages)

    def later(
        self, latents: Tensor, chunk: PoseChunk, frame: int, config: WorldModelConfig
    ) -> Context:
        """The past as it will be at `frame` of an imagined chunk: imagination fed back.

        Args:
            latents: imagined (batch, frames, ...), frame 0 the present, which is known already.
            chunk: the poses of those frames.
            frame: index of the frame that becomes the present.
        """
        here = self.expand(len(latents)) if len(self.latents) != len(latents) else self
        new = slice(1, frame + 1)
        ages = (*(age + frame for age in self._ages()), *range(frame - 1, -1, -1))
        grown = replace(
            here,
            latents=torch.cat([here.latents, latents[:, new]], dim=1),
            poses=_joined(here.poses, chunk.part(new)),
        )
        kept = _kept(ages, config)
        return grown._only(kept, tuple(ages[k] for k in kept) if config.history_ages else ())

    def _ages(self) -> tuple[int, ...]:
        return self.ages or tuple(range(self.latents.shape[1] - 1, -1, -1))

    def _only(self, places: list[int], ages: tuple[int, ...]) -> Context:
        return Context(self.latents[:, places], self.poses.part(places), self.text, ages)


def action_tokens(past: PoseChunk, future: PoseChunk, features: str = 'relative') -> Tensor:
    """Features (batch, history - 1 + frames, features) of poses, history first.

    Args:
        past: poses of the history, ending with the present.
        future: poses of the chunk, beginning with the present.
        features: `relative` or `droid`.

    Raises:
        ModelError: no such features.
    """
    if features not in FEATURES:
        raise ModelError(f"unknown action features '{features}'; known: {', '.join(FEATURES)}")
    older = past.frames - 1
    joined = _joined(past.part(slice(0, older)), future)
    if features == 'droid':
        return euler_features(joined)
    return relative_features(joined, present=older)


def _kept(ages: Sequence[int], config: WorldModelConfig) -> list[int]:
    """Entries that may still be seen: recent enough, or the first of the episode."""
    wanted = config.seen_ages
    oldest = max(age for age in wanted if age < EPISODE_START) + config.history_stride - 1
    first = EPISODE_START in wanted
    return [k for k, age in enumerate(ages) if age <= oldest or (first and k == 0)]


def _joined(first: PoseChunk, second: PoseChunk) -> PoseChunk:
    return PoseChunk(
        torch.cat([first.position, second.position], dim=1),
        torch.cat([first.rotation, second.rotation], dim=1),
        torch.cat([first.closedness, second.closedness], dim=1),
    )
