# SPDX-License-Identifier: Apache-2.0
"""What a head reads of an imagination."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from vidplan_core.world_model.world_model import Imagination


@dataclass(frozen=True)
class HeadInput:
    """The new frames of an imagination, without the present that they begin with.

    Attributes:
        predicted: imagined latents, (batch, frames, channels, rows, columns), normalised.
        noisy: what the network saw in its last evaluation, the same shape.
        present: latent that the imagination starts from, (batch, channels, rows, columns).
        actions: features of the action of each new frame, (batch, frames, features).
        start, target: flow times of the last evaluation, (batch,): how noisy its input was, and
            how far it jumped.
        text: embedding of the instruction, (batch, width), for heads that read one.
        maps: where the present shows what it names, (batch, maps, rows, columns), likewise.
        offsets: where the tool is beside that, (batch, frames, numbers), likewise.
        outcome: what the new frames are expected to measure, (batch, frames, numbers), for heads
            that read it; see `world_model/outcome.py`.
        axes: how the hand is turned beside the target, (batch, frames, numbers), likewise; see
            `heads/axes.py`.
    """

    predicted: Tensor
    noisy: Tensor
    present: Tensor
    actions: Tensor
    start: Tensor
    target: Tensor
    text: Tensor | None = None
    maps: Tensor | None = None
    offsets: Tensor | None = None
    outcome: Tensor | None = None
    axes: Tensor | None = None

    @classmethod
    def of(
        cls,
        imagination: Imagination,
        text: Tensor | None = None,
        maps: Tensor | None = None,
        offsets: Tensor | None = None,
        axes: Tensor | None = None,
    ) -> HeadInput:
        """Read an imagination; one text and its maps are shared by all its candidates."""
        latents, last = imagination.latents, imagination.last
        frames = latents.shape[1] - 1
        text, maps = (
            None if given is None else given.to(latents).expand(len(latents), *given.shape[1:])
            for given in (text, maps)
        )
        return cls(
            latents[:, 1:],
            last.noisy[:, 1:],
            imagination.condition.history[:, -1],
            imagination.condition.actions[:, -frames:],
            last.start,
            last.target,
            text,
            maps,
            offsets,
            None if imagination.outcome is None else imagination.outcome.numbers,
            axes,
        )

    def __len__(self) -> int:
        return len(self.predicted)

    def detach(self) -> HeadInput:
        """The same numbers without a gradient graph: heads never train the world model."""
        return self._map(Tensor.detach)

    def rows(self, index: Tensor | slice) -> HeadInput:
        """Some rows of the batch, in the order of their numbers."""
        return self._map(lambda values: values[index])

    def known_of(self, frames: Sequence[int] | None) -> HeadInput:
        """The same with the numbers (not the pictures) of some new frames, from 0; all if None."""
        if frames is None:
            return self

        def of(numbers: Tensor | None) -> Tensor | None:
            return None if numbers is None else numbers[:, list(frames)]

        return replace(
            self, actions=self.actions[:, list(frames)], offsets=of(self.offsets),
            outcome=of(self.outcome), axes=of(self.axes),
        )  # fmt: skip

    @staticmethod
    def cat(parts: Sequence[HeadInput]) -> HeadInput:
        """Join along the batch; all have a text or none."""
        return parts[0]._map(torch.cat, parts)

    def _map(
        self, function: Callable[..., Tensor], parts: Sequence[HeadInput] | None = None
    ) -> HeadInput:
        """Apply a function to every tensor, or to the list of every part's tensors."""

        def of(name: str) -> Tensor:
            mine: Tensor = getattr(self, name)
            if mine is None:
                return mine
            return function([getattr(p, name) for p in parts] if parts else mine)

        return HeadInput(*(of(field.name) for field in fields(self)))


def of_frames(part: Tensor, count: int, frames: Sequence[int] | None) -> Tensor:
    """Rows (batch * count, ...) of frames by their numbers from 0; all if None."""
    if frames is None:
        return part
    return part.unflatten(0, (-1, count))[:, list(frames)].flatten(0, 1)


def latents_of_views(latents: Tensor, views: int) -> Tensor:
    """Latents (batch, views, channels, rows, columns) of views that lie below each other."""
    return latents.unflatten(2, (views, -1)).transpose(1, 2)
