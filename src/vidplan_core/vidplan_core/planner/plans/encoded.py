# SPDX-License-Identifier: Apache-2.0
"""Latents of the frames that were seen: each is encoded once, while it stays in the past."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.data.observation import Observation
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.world_model.world_model import WorldModel

# A past that reaches back 44 frames, looked at every other frame, is 22; twice that is safe.
MOST_KEPT = 64


class EncodedFrames:
    """Encodes pictures that it has not encoded before.

    A picture is known by the very array that holds it, which is kept as long as its latents are.
    """

    def __init__(self, model: WorldModel, most: int = MOST_KEPT) -> None:
        """Keep the latents of the last `most` pictures."""
        self._model, self._most = model, most
        self._kept: dict[int, tuple[np.ndarray, Tensor]] = {}

    def latents(self, images: Sequence[np.ndarray]) -> Tensor:
        """Normalised latents (1, frames, channels, rows, columns) of stitched uint8 pictures."""
        new = {id(image): image for image in images if id(image) not in self._kept}
        if new:
            pixels = torch.from_numpy(np.stack(list(new.values())))[None]
            encoded = self._model.encode(pixels.to(self._model.mean.device))[0]
            for (key, image), latents in zip(new.items(), encoded, strict=True):
                self._kept[key] = image, latents
        found = torch.stack([self._kept[id(image)][1] for image in images])[None]
        for key in list(self._kept)[: -self._most]:
            del self._kept[key]
        return found


def poses_of(history: Sequence[Observation]) -> PoseChunk:
    """Measured poses (1, frames) of looks, oldest first."""
    return PoseChunk(
        _stack([seen.position for seen in history]),
        quaternion_to_matrix(_stack([seen.quaternion for seen in history])),
        _stack([np.float64(seen.closedness) for seen in history]),
    )


def _stack(rows: Sequence[np.ndarray | np.float64]) -> Tensor:
    return torch.from_numpy(np.stack(rows)[None]).float()
