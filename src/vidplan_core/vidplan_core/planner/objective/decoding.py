# SPDX-License-Identifier: Apache-2.0
"""Pictures of some frames of an imagined future, without decoding the others.

SVD's decoder mixes the frames of a clip through a long stack of temporal convolutions, so a frame
that is decoded alone looks different from the same frame within its clip, and two frames that
are not neighbours would be taken for neighbours. Here every wanted frame is decoded together with
neighbours on both sides; all of a future's frames as neighbours give exactly what decoding the
whole future gives.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vidplan_core.errors import ConfigError
from vidplan_core.planner.config import ALL_VIEWS
from vidplan_core.world_model.world_model import WorldModel


def view_numbers(names: Sequence[str], known: Sequence[str]) -> tuple[int, ...]:
    """Numbers of views by name, ascending, none for all; raises ConfigError for an unknown one."""
    for name in names:
        if name not in (*known, ALL_VIEWS):
            raise ConfigError(
                f"score_views: no camera '{name}'; known: {', '.join(known)}, {ALL_VIEWS}"
            )
    if ALL_VIEWS in names:
        return ()
    return tuple(number for number, name in enumerate(known) if name in names)


def decode_frames(
    model: WorldModel,
    latents: Tensor,
    numbers: Sequence[int],
    neighbours: int,
    views: Sequence[int] = (),
) -> Tensor:
    """Images (batch, len(numbers), views, 3, height, width) in [0, 1].

    Args:
        model: whose autoencoder decodes.
        latents: whole futures (batch, frames, channels, rows, columns).
        numbers: of the wanted frames, in any order.
        neighbours: frames on each side of a wanted one that its decoder sees, where it looks at
            neighbours at all.
        views: by number, that are decoded; all where none is named.
    """
    if not model.autoencoder.sees_neighbours:
        return model.decode(latents[:, list(numbers)], views)
    found: dict[int, Tensor] = {}
    for clip in clips_around(numbers, neighbours, latents.shape[1]):
        pictures = model.decode(latents[:, clip.start : clip.stop], views)
        wanted = set(numbers) & set(clip)
        found |= {number: pictures[:, number - clip.start] for number in wanted}
    return torch.stack([found[number] for number in numbers], dim=1)


def clips_around(numbers: Sequence[int], neighbours: int, frames: int) -> list[range]:
    """Runs of frames that hold the wanted ones with their neighbours, apart from each other."""
    clips: list[range] = []
    for number in sorted(set(numbers)):
        first, after = max(0, number - neighbours), min(frames, number + neighbours + 1)
        if clips and first <= clips[-1].stop:
            first = clips.pop().start
        clips.append(range(first, after))
    return clips
