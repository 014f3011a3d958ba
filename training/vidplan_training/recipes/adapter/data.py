# SPDX-License-Identifier: Apache-2.0
"""Commanded joint velocities and what the joints then did, from recorded episodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidplan_core.errors import ConfigError
from vidplan_eval.datasets.episode import Source
from vidplan_eval.datasets.errors import MISSING_COLUMN, TOO_SHORT, EpisodeError
from vidplan_training.data.readers.walk import Walk
from vidplan_training.engine.batch_shard import WHOLE, BatchShard

# Windows that percentiles are measured on: enough for the second digit after the point.
MEASURED_WINDOWS = 200_000
# A joint that never moves must not be divided by.
SMALLEST_RANGE = 1e-3


@dataclass(frozen=True, eq=False)
class Motions:
    """A batch of what was commanded and what came of it.

    q: angles before (batch, 7), rad.
    commands: joint velocities (batch, steps, 7).
    motion: angles after each command less those before (batch, steps, 7), rad.
    """

    q: Tensor
    commands: Tensor
    motion: Tensor

    def to(self, device: torch.device) -> Motions:
        """The same on another device."""
        return Motions(self.q.to(device), self.commands.to(device), self.motion.to(device))


class MotionWindows:
    """All windows of `steps` commands of all sound episodes of a split.

    Raises ConfigError when there are none, or when episodes differ in their rate.
    """

    def __init__(self, source: Source, held_out: bool, steps: int) -> None:
        walk = Walk(source, held_out)
        angles, commands, starts, periods = [], [], [], set()
        before = 0
        for episode in walk:
            with walk.attempt():
                if episode.joints is None:
                    raise EpisodeError(episode.id, MISSING_COLUMN, episode.file, 'no joints')
                joints = episode.joints()
                if joints.velocity is None:
                    detail = 'no commanded joint velocities'
                    raise EpisodeError(episode.id, MISSING_COLUMN, episode.file, detail)
                count = len(joints.position) - steps
                if count < 1:
                    detail = f'{len(joints.position)} steps, a window has {steps + 1}'
                    raise EpisodeError(episode.id, TOO_SHORT, episode.file, detail)
                periods.add(round(joints.period_s, 6))
                angles.append(joints.position)
                commands.append(joints.velocity)
                starts.append(before + np.arange(count))
                before += len(joints.position)
        if not angles:
            raise ConfigError(f'{walk.summary()}; nothing to train on')
        if len(periods) > 1:
            raise ConfigError(f'the episodes of {source.name} have different rates: {periods} s')
        self.rate_hz = 1.0 / periods.pop()
        self._steps = steps
        self._angles = torch.from_numpy(np.concatenate(angles)).float()
        self._commands = torch.from_numpy(np.concatenate(commands)).float()
        self._starts = torch.from_numpy(np.concatenate(starts))

    def __len__(self) -> int:
        return len(self._starts)

    def windows(self, indices: Tensor) -> Motions:
        """Windows by index, (batch,)."""
        first = self._starts[indices]
        offsets = first[:, None] + torch.arange(self._steps)
        # An angle at the time of a command is the one before it, so its effect is one later.
        q = self._angles[first]
        return Motions(q, self._commands[offsets], self._angles[offsets + 1] - q[:, None])

    def random(self, iteration: int, batch: int, seed: int, shard: BatchShard = WHOLE) -> Motions:
        """Own rows of a batch that depends on seed and iteration only."""
        rng = np.random.default_rng([seed, iteration, 13])
        return self.windows(
            torch.from_numpy(rng.integers(len(self), size=batch)[shard.rows(batch)])
        )

    def some(self, count: int) -> Motions:
        """Windows evenly spread over all episodes."""
        return self.windows(torch.linspace(0, len(self) - 1, min(count, len(self))).long())


def percentiles(values: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Percentiles 1 and 99 of values (windows, steps, 7), per joint."""
    low, high = np.percentile(values.flatten(0, 1).numpy(), [1, 99], axis=0)
    short = np.maximum(SMALLEST_RANGE - (high - low), 0.0) / 2
    return tuple((low - short).tolist()), tuple((high + short).tolist())
