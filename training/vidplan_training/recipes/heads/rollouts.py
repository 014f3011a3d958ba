# SPDX-License-Identifier: Apache-2.0
"""Imagined futures of recorded clips, as heads are trained on: what planning will show them.

As their mean, in one jump, two or four; from what was seen, or from what was imagined before.
Rollouts are made in pools, and each pool serves several iterations: imagining costs more than
learning from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidplan_core.heads.inputs import HeadInput
from vidplan_core.world_model.sampling.sampler import MEAN, SamplingConfig
from vidplan_core.world_model.world_model import Context, Imagination, WorldModel
from vidplan_training.data.latents import Clips

SAMPLINGS = (MEAN, SamplingConfig(1), SamplingConfig(2), SamplingConfig(4))
# Frames that are imagined and taken as seen, before the chunk that a head reads.
HOPS: tuple[tuple[int, ...], ...] = ((), (), (2,), (4,), (4, 4))


@dataclass(frozen=True)
class Rollouts:
    """Imaginations with what came true.

    inputs: what a head reads.
    truth: true latents of the new frames, (batch, frames, channels, rows, columns).
    values: of the new frames for the instruction in `inputs`, (batch, frames), if there is one.
    """

    inputs: HeadInput
    truth: Tensor
    values: Tensor | None = None

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def errors(self) -> Tensor:
        """Absolute errors of the normalised latents."""
        return (self.inputs.predicted - self.truth).abs()

    def rows(self, index: Tensor | slice) -> Rollouts:
        """Some of them."""
        values = None if self.values is None else self.values[index]
        return Rollouts(self.inputs.rows(index), self.truth[index], values)

    @staticmethod
    def cat(parts: Sequence[Rollouts]) -> Rollouts:
        """Join along the batch."""
        inputs = HeadInput.cat([part.inputs for part in parts])
        values = [part.values for part in parts if part.values is not None]
        joined = torch.cat(values) if len(values) == len(parts) else None
        return Rollouts(inputs, torch.cat([part.truth for part in parts]), joined)


def frames_needed(model: WorldModel, hops: Sequence[Sequence[int]] = HOPS) -> int:
    """Frames from the present on that the longest rollout covers, the present included."""
    return model.config.frames + max(sum(hop) for hop in hops)


@torch.no_grad()
def imagine_ahead(
    model: WorldModel, clips: Clips, hops: Sequence[int], sampling: SamplingConfig, seed: int
) -> tuple[Imagination, Tensor]:
    """Imagine the chunk that follows the hops; each hop is imagined too and taken as seen.

    Returns:
        The last imagination, and the true latents (batch, frames, ...) of its new frames.
    """
    history, frames = model.config.history_frames, model.config.frames
    device = model.mean.device
    seen, poses = clips.latents.to(device), clips.poses.to(device)
    past, ages = poses.part(slice(0, history)), model.config.history_ages
    context = Context(seen[:, :history], past, _texts(model, clips), ages)
    present = history - 1
    for number, hop in enumerate(hops):
        chunk = poses.part(slice(present, present + frames))
        found = model.imagine(context, chunk, sampling, seed + number)
        context = model.advance(context, found.latents, found.measured, hop)
        present += hop
    chunk = poses.part(slice(present, present + frames))
    imagination = model.imagine(context, chunk, sampling, seed + len(hops))
    return imagination, seen[:, present + 1 : present + frames]


def _texts(model: WorldModel, clips: Clips) -> Tensor | None:
    """Embeddings of the instructions, for a model that reads them."""
    if model.text_encoder is None:
        return None
    return model.text_encoder(clips.texts or ('',) * len(clips.latents))


@dataclass(frozen=True)
class PoolConfig:
    """How many rollouts a pool holds, how many share steps, hops and noise, how long it lasts."""

    size: int = 64
    group: int = 16
    iterations: int = 8


class Pool:
    """The rollouts of a stretch of iterations; the same for a seed, also after a resume."""

    def __init__(
        self,
        make: Callable[[np.random.Generator, int], Rollouts],
        config: PoolConfig,
        seed: int,
    ) -> None:
        """Ask `make(rng, group)` for groups of rollouts."""
        self._make, self._config, self._seed = make, config, seed
        self._number = -1
        self._rollouts: Rollouts | None = None

    def batch(self, iteration: int, size: int) -> Rollouts:
        """A batch of the pool that the iteration belongs to."""
        number = iteration // self._config.iterations
        if self._rollouts is None or number != self._number:
            self._number, self._rollouts = number, self.fill(number)
        rng = np.random.default_rng([self._seed, iteration, 13])
        chosen = rng.choice(len(self._rollouts), size, replace=False)
        return self._rollouts.rows(torch.from_numpy(chosen))

    def fill(self, number: int) -> Rollouts:
        """The whole pool of a number."""
        rng = np.random.default_rng([self._seed, number, 12])
        groups = -(-self._config.size // self._config.group)
        return Rollouts.cat([self._make(rng, self._config.group) for _ in range(groups)])
