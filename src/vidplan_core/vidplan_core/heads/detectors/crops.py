# SPDX-License-Identifier: Apache-2.0
"""What views show around places: pictures and relevancy, of one size in metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vidplan_core.geometry.camera import Camera

SIDE = 40  # pixels of a crop
MOST_HALF = 1.0  # what a crop shows to each side at most, in widths and heights of the view
COLOURS, MAPS = 3, 2
CHANNELS = COLOURS + MAPS + 1  # and where there is a picture at all


@dataclass(frozen=True)
class CropInput:
    """Moments as a detector reads them.

    Attributes:
        crops: (batch, views, CHANNELS, SIDE, SIDE): colours in [-0.5, 0.5], relevancy of target
            and destination, and 1 where the view has pixels.
        numbers: what else is known of each, (batch, numbers).
    """

    crops: Tensor
    numbers: Tensor

    def to(self, device: str | torch.device) -> CropInput:
        """The same on a device."""
        return CropInput(self.crops.to(device), self.numbers.to(device))


def crops_around(
    cameras: Sequence[Camera], views: Tensor, maps: Tensor, middle: Tensor, position: Tensor,
    rotation: Tensor, half_m: float,
) -> Tensor:  # fmt: skip
    """What all views show around points, (batch, views, CHANNELS, SIDE, SIDE).

    Args:
        cameras: one per view.
        views: (batch, views, 3, height, width) in [0, 1].
        maps: relevancy of target and destination, (batch, MAPS, views, rows, columns).
        middle, position, rotation, half_m: as for `crop`.
    """
    crops = [
        crop(camera, views[:, view], maps[:, :, view], middle, position, rotation, half_m)
        for view, camera in enumerate(cameras)
    ]
    return torch.stack(crops, 1).float()


def crop(
    camera: Camera, view: Tensor, maps: Tensor, middle: Tensor, position: Tensor,
    rotation: Tensor, half_m: float,
) -> Tensor:  # fmt: skip
    """What one view shows around points, (batch, CHANNELS, SIDE, SIDE).

    Colours are in [-0.5, 0.5]; the last channel is 1 where the view has pixels.

    Args:
        camera: of the view.
        view: (batch, 3, height, width) in [0, 1].
        maps: relevancy of target and destination, (batch, MAPS, rows, columns).
        middle: the points, (batch, 3), base frame, m.
        position, rotation: of the flange, (batch, 3) and (batch, 3, 3).
        half_m: what a crop shows to each side of its middle, m.
    """
    place, half = camera.window(middle, half_m, position, rotation)
    half = half.clamp_max(MOST_HALF)
    steps = torch.linspace(-1.0, 1.0, SIDE, dtype=place.dtype, device=place.device)
    across = torch.stack(torch.meshgrid(steps, steps, indexing='xy'), -1)
    at = place[:, None, None] + half[:, None, None] * across
    grid = (2.0 * at - 1.0).to(view)
    seen = functional.grid_sample(view - 0.5, grid, align_corners=False)
    where = functional.grid_sample(maps.to(view), grid, align_corners=False)
    inside = ((at >= 0.0) & (at <= 1.0)).all(-1)[:, None]
    return torch.cat([seen, where, inside.to(seen)], 1)
