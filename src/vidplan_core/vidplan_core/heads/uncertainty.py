# SPDX-License-Identifier: Apache-2.0
"""The uncertainty head: how wrong every element of an imagined latent may be."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidplan_core.heads.distribution.estimate import ErrorEstimate, above
from vidplan_core.heads.inputs import HeadInput
from vidplan_core.heads.network import Head, HeadConfig, load_head
from vidplan_core.world_model.world_model import Imagination

FOLDER = 'uncertainty'
# Errors that are less probable than this count as if they were as probable.
LEAST_PROBABILITY = 1e-6


class UncertaintyHead(Head):
    """Distribution of the absolute latent error of every element of the new frames."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__(config)
        outputs = config.bin_count * config.channels * config.patch**2
        self.out = nn.Conv2d(config.widths[0], outputs, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, inputs: HeadInput) -> Tensor:
        """Logits (batch, frames, bins, channels, rows, columns)."""
        raw = self._patched(inputs)
        whole = functional.pixel_shuffle(raw.flatten(0, 1), self.config.patch)
        return whole.unflatten(0, raw.shape[:2])

    def loss(self, inputs: HeadInput, errors: Tensor) -> Tensor:
        """Mean cross-entropy of the bins of absolute errors, shaped like `predicted`."""
        number = functional.pixel_unshuffle(self.bins.index(errors).flatten(0, 1), self._side)
        raw = self._patched(inputs).flatten(0, 1)
        return functional.cross_entropy(raw.float(), number)

    @torch.no_grad()
    def begin_with(self, log_probability: Tensor) -> None:
        """Predict one distribution (bins,) for every element, as a start of the training."""
        assert self.out.bias is not None
        each = self.config.channels * self.config.patch**2
        self.out.bias.copy_(log_probability.repeat_interleave(each))

    def estimate(self, inputs: HeadInput, frames: Sequence[int] | None = None) -> ErrorEstimate:
        """Entropy and expected error of new frames; gradients reach latents and actions.

        Args:
            inputs: of all new frames.
            frames: those that are asked about, by their numbers from 0; None for all.
        """
        raw = self._wide(partial(self._patched, frames=frames), inputs)
        estimate = ErrorEstimate.of(raw, self.bins)
        return ErrorEstimate(
            functional.pixel_shuffle(estimate.entropy, self._side),
            functional.pixel_shuffle(estimate.expected_error, self._side),
        )

    def improbability(self, imagination: Imagination, frame: int, seen: Tensor) -> Tensor:
        """How improbable an imagined frame's errors are, now that it was seen, in nats.

        Minus the logarithm of the probability of an error as large; the mean is 1 where errors
        come as predicted.

        Args:
            imagination: of one chunk.
            frame: its number in the chunk, from 1.
            seen: latents that came, (1, channels, rows, columns).

        Returns:
            (1, channels, rows, columns).
        """
        patched = partial(self._patched, frames=[frame - 1])
        raw = self._wide(patched, HeadInput.of(imagination)).flatten(0, 1)
        errors = (imagination.latents[:, frame] - seen).abs()
        apart = functional.pixel_unshuffle(errors, self._side)
        larger = above(raw, self.bins, apart, 1).clamp_min(LEAST_PROBABILITY)
        return functional.pixel_shuffle(-larger.log(), self._side)

    @property
    def _side(self) -> int:
        return self.config.patch

    def _patched(self, inputs: HeadInput, frames: Sequence[int] | None = None) -> Tensor:
        """Logits with a patch's elements as channels: so many numbers are moved once only."""
        features = self.network(inputs, frames)
        raw: Tensor = self.out(features.flatten(0, 1))
        shape = (*features.shape[:2], self.config.bin_count, -1, *features.shape[3:])
        return raw.reshape(shape)

    def predict_error(
        self, imagination: Imagination, frames: Sequence[int] | None = None
    ) -> ErrorEstimate:
        """`estimate` of what a world model imagined, at frames by their numbers in the chunk."""
        new = None if frames is None else [frame - 1 for frame in frames]
        return self.estimate(HeadInput.of(imagination), new)


def load_uncertainty(models: Path, device: str | torch.device = 'cpu') -> UncertaintyHead:
    """Uncertainty head of a models folder; errors as `load_head`."""
    return load_head(UncertaintyHead, models / FOLDER, device)
