# SPDX-License-Identifier: Apache-2.0
"""How good a flow map is on held-out clips: against the truth and against its teacher."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.data.latents import Clips
from vidplan_training.recipes.world_model.recipe import condition_of, split_clip

STEPS = (1, 2, 4)


class HeldOut:
    """Held-out clips, one noise for each, and what the teacher makes of that noise.

    `at_once` clips are sampled at a time: at full size all of them would not fit into memory.
    """

    def __init__(
        self, teacher: WorldModel, clips: Clips, sampling: SamplingConfig, at_once: int = 32
    ) -> None:
        self._at_once = at_once
        parts = split_clip(clips, teacher.config.history_frames)
        self._future, self._present = parts.future, parts.history[:, -1:]
        self._condition = condition_of(teacher, clips, parts)
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(parts.future.shape, generator=generator)
        self._noise = noise.to(parts.future)
        self._taught = self._sample(teacher, sampling)

    def measure(self, model: WorldModel) -> dict[str, float]:
        """Mean squared latent error of the new frames.

        `error_N` is that of N steps against the truth, `teacher_N` against the teacher's sample
        from the same noise; `error_teacher` and `copy` are the teacher's and the present's own.
        """
        result = {}
        for steps in STEPS:
            imagined = self._sample(model, SamplingConfig(steps))
            result[f'error_{steps}'] = self._error(imagined, self._future)
            result[f'teacher_{steps}'] = self._error(imagined, self._taught)
        result['error_teacher'] = self._error(self._taught, self._future)
        result['copy'] = self._error(self._present, self._future)
        return result

    @torch.no_grad()
    def _sample(self, model: WorldModel, sampling: SamplingConfig) -> Tensor:
        found = []
        for rows in torch.arange(len(self._noise)).split(self._at_once):
            chosen = rows.to(self._noise.device)
            condition = self._condition.rows(chosen)
            data, _ = model.sample(condition, self._noise[chosen], sampling)
            found.append(model.from_data(data, self._present[chosen]))
        return torch.cat(found)

    @staticmethod
    def _error(imagined: Tensor, wanted: Tensor) -> float:
        return (imagined - wanted)[:, 1:].square().mean().item()


@contextmanager
def averaged(module: nn.Module, average: Mapping[str, Tensor]) -> Iterator[None]:
    """Within the block the module holds the averaged weights."""
    own = {name: value.detach().clone() for name, value in module.named_parameters()}
    _fill(module, average)
    try:
        yield
    finally:
        _fill(module, own)


@torch.no_grad()
def _fill(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    for name, parameter in module.named_parameters():
        parameter.copy_(weights[name])
