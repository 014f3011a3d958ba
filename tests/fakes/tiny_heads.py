# SPDX-License-Identifier: Apache-2.0
"""Heads whose answers are known: uncertainty is how far imagined latents left the clean ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from vidplan_core.heads.bundle import Heads
from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.world_model.world_model import Imagination, WorldModel

Frames = Sequence[int] | slice
NEW = slice(1, None)


class ChangeUncertainty:
    """More uncertain the more a latent changes; in [0, 1)."""

    def predict_error(self, imagination: Imagination, frames: Frames = NEW) -> SimpleNamespace:
        change = imagination.latents[:, frames] - imagination.condition.history[:, -1:]
        return SimpleNamespace(entropy=1.0 - torch.exp(-change.abs()))


class ErrorUncertainty:
    """Knows the true error of an injected imagination: what the clean one would have been."""

    def __init__(self, clean: WorldModel) -> None:
        self._clean = clean

    def predict_error(self, imagination: Imagination, frames: Frames = NEW) -> SimpleNamespace:
        noise = self._clean.noise(0, imagination.latents.shape[1])
        noise = noise.expand(len(imagination.latents), -1, -1, -1, -1)
        condition = imagination.condition
        data, _ = self._clean.sample(condition, noise, PlannerConfig().sampling)
        true = self._clean.from_data(data, condition.history[:, -1:])
        error = (imagination.latents - true)[:, frames].abs()
        return SimpleNamespace(entropy=1.0 - torch.exp(-error))


class EvenValue:
    """The same value everywhere."""

    def predict_value(
        self, imagination: Imagination, grounding: InstructionGrounding, frames: Frames = NEW
    ) -> Tensor:
        return imagination.latents.new_full(imagination.latents[:, frames, 0, 0, 0].shape, 0.5)


def tiny_heads(uncertainty: Callable[[], Any] = ChangeUncertainty) -> Heads:
    nothing = InstructionGrounding(torch.zeros(1, 0), torch.zeros(1, 0, 1, 1))
    return Heads(uncertainty(), EvenValue(), lambda present, instruction: nothing)
