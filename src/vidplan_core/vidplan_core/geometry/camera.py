# SPDX-License-Identifier: Apache-2.0
"""Nominal cameras: from a place in a picture to a place on the table, differentiably.

Optical frames follow REP-103: x right, y down, z forward. Lens values are in parts of the
picture's width and height, so that they hold at every resolution.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vidplan_core.errors import ModelError

# A ray this close to level (or rising) is treated as this steep, so that it still meets the
# table, far away, and gradients stay finite.
LEAST_DESCENT = 0.05


@dataclass(frozen=True)
class Camera:
    """A pinhole camera fixed to the base or to the flange.

    Attributes:
        mount: 'base' or 'flange', the frame of the pose.
        position: (3,) m.
        rotation: rows of the (3, 3) rotation of the optical frame.
        focal: (2,) in widths and heights of the picture.
        trust_m: how far off a place found by this camera typically is, m.
    """

    mount: str
    position: tuple[float, ...]
    rotation: tuple[tuple[float, ...], ...]
    focal: tuple[float, float]
    trust_m: float

    def __post_init__(self) -> None:
        numbers = *self.position, *(n for row in self.rotation for n in row), *self.focal
        if not all(math.isfinite(number) for number in (*numbers, self.trust_m)):
            raise ModelError(f'the numbers of a camera must be finite, got {self}')
        if self.mount not in ('base', 'flange'):
            raise ModelError(f"a camera is mounted on 'base' or 'flange', not '{self.mount}'")
        if len(self.position) != 3 or [len(row) for row in self.rotation] != [3, 3, 3]:
            raise ModelError('a camera needs a position (3) and a rotation (3, 3)')
        if min(*self.focal, self.trust_m) <= 0:
            raise ModelError('focal lengths and trust_m of a camera must be positive')

    def rays(self, place: Tensor, position: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor]:
        """Origins and directions (..., 3) of rays, base frame, per unit of depth.

        Args:
            place: (..., 2), x and y in [0, 1] of the picture; broadcasts against the poses.
            position: flange position (..., 3), used by a camera on the flange.
            rotation: flange rotation (..., 3, 3).
        """
        own_position, own_rotation = self._pose(place, position, rotation)
        slope = (place - 0.5) / place.new_tensor(self.focal)
        ray = torch.cat([slope, torch.ones_like(slope[..., :1])], dim=-1)
        return own_position, (own_rotation @ ray[..., None])[..., 0]

    def on_plane(
        self, centroid: Tensor, position: Tensor, rotation: Tensor, height_m: float | Tensor
    ) -> Tensor:
        """Points (..., 3) of the base frame where rays meet the plane z = height_m.

        Args:
            centroid: (..., 2), x and y in [0, 1] of the picture.
            position: flange position (..., 3), used by a camera on the flange.
            rotation: flange rotation (..., 3, 3).
            height_m: of the plane above the base frame's origin, or of one for each, (..., 1).
        """
        own_position, direction = self.rays(centroid, position, rotation)
        down = -direction[..., 2:]
        steep = torch.where(down > LEAST_DESCENT, down, torch.full_like(down, LEAST_DESCENT))
        return own_position + direction * (own_position[..., 2:] - height_m) / steep

    def project(self, points: Tensor, position: Tensor, rotation: Tensor) -> Tensor:
        """Places (..., 2) in the picture, x and y in [0, 1] where it shows them.

        Points behind the camera land far outside.

        Args:
            points: (..., 3), base frame, m; broadcasts against the poses.
            position: flange position (..., 3), used by a camera on the flange.
            rotation: flange rotation (..., 3, 3).
        """
        place, _ = self._seen(points, position, rotation)
        return place.expand(torch.broadcast_shapes(place.shape, (*position.shape[:-1], 2)))

    def window(
        self, points: Tensor, half_m: float, position: Tensor, rotation: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Places (..., 2) of points, as `project`, and how far a length reaches there, (..., 2).

        Args:
            points: (..., 3), base frame, m.
            half_m: length across the line of sight, m.
            position, rotation: as for `project`.
        """
        place, depth = self._seen(points, position, rotation)
        return place, half_m * position.new_tensor(self.focal) / depth

    def _seen(
        self, points: Tensor, position: Tensor, rotation: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Places (..., 2) in the picture, and depths (..., 1), m."""
        own_position, own_rotation = self._pose(position, position, rotation)
        seen = (own_rotation.mT @ (points - own_position)[..., None])[..., 0]
        depth = seen[..., 2:].clamp_min(1e-3)
        return 0.5 + position.new_tensor(self.focal) * seen[..., :2] / depth, depth

    def _pose(self, like: Tensor, position: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor]:
        """Position (..., 3) and rotation (..., 3, 3) of the optical frame in the base frame."""
        own_position, own_rotation = like.new_tensor(self.position), like.new_tensor(self.rotation)
        if self.mount == 'flange':
            own_position = position + (rotation @ own_position[:, None])[..., 0]
            own_rotation = rotation @ own_rotation
        return own_position, own_rotation


def load_cameras(path: Path, views: tuple[str, ...]) -> dict[str, Camera]:
    """Cameras by view from a json file; raises ModelError when one is missing or malformed."""
    try:
        values = json.loads(path.read_text())
        cameras = {view: _camera(values[view]) for view in views}
    except FileNotFoundError as error:
        raise ModelError(f'no camera layout: {path} is missing') from error
    except (json.JSONDecodeError, TypeError, ValueError) as error:
        raise ModelError(f'{path} is not a camera layout: {error}') from error
    except KeyError as error:
        raise ModelError(f'{path} has no camera or value named {error}') from error
    return cameras


def _camera(values: Mapping[str, object]) -> Camera:
    entry = dict(values)
    rotation = tuple(tuple(float(v) for v in row) for row in entry['rotation'])  # type: ignore[attr-defined]
    focal = tuple(float(v) for v in entry['focal'])  # type: ignore[attr-defined]
    return Camera(
        mount=str(entry['mount']),
        position=tuple(float(v) for v in entry['position']),  # type: ignore[attr-defined]
        rotation=rotation,
        focal=(focal[0], focal[1]),
        trust_m=float(entry['trust_m']),  # type: ignore[arg-type]
    )
