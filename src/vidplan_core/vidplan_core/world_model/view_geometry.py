# SPDX-License-Identifier: Apache-2.0
"""What a motion means in every view: rays of the latent's places, and the present warped.

A camera on the base sees the hand move, one on the flange sees the table move. Both are expressed
in the frame of what moves: Plücker rays (direction and moment, as for camera-controlled video
models) of every place of the latent, and the present latents warped to where they would be seen
if all that the view shows were fixed to the hand (or, seen from the hand, to the table).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.camera import Camera
from vidplan_core.geometry.fk import tcp_position

RAY_CHANNELS = 6
# Origin of the rays of a camera on the flange: a place on the table, base frame, m.
TABLE_CENTRE_M = (0.5, 0.0, 0.0)
# Height of what a camera on the flange sees, m: between the table and the tops of its objects.
SEEN_HEIGHT_M = 0.02
# Distances are encoded as asinh(d / this): to millimetres near the fingers, roughly far away.
RAY_SCALE_M = 0.1


def ray_maps(cameras: Sequence[Camera], chunk: PoseChunk, rows: int, columns: int) -> Tensor:
    """Rays (batch, frames, 6, views * rows, columns) through every place, in the moving frame.

    Channels: the unit direction, and the ray's point nearest the origin. The frame is the
    tool's for cameras on the base, the base's (from the table's centre) for those on the flange.

    Args:
        cameras: one per view, in the order in which they are stacked.
        chunk: flange poses (batch, frames).
        rows, columns: of one view's latent.
    """
    places = _places(rows, columns, chunk.position)
    maps = [_rays(camera, chunk, places) for camera in cameras]
    stacked = torch.stack(maps, dim=2).unflatten(3, (rows, columns))
    return stacked.permute(0, 1, 5, 2, 3, 4).flatten(3, 4)


def warp(cameras: Sequence[Camera], present: Tensor, chunk: PoseChunk) -> Tensor:
    """Present latents where each frame would show them, (batch, frames, channels, rows, columns).

    Differentiable in the poses.

    Args:
        cameras: one per view, in the order in which they are stacked.
        present: (batch, channels, views * rows, columns).
        chunk: flange poses (batch, frames), frame 0 the present.
    """
    views = present.unflatten(2, (len(cameras), -1)).unbind(2)
    rows, columns = views[0].shape[-2:]
    places = _places(rows, columns, chunk.position)
    moved = [_warped(camera, view, chunk, places) for camera, view in zip(cameras, views)]
    return torch.cat(moved, dim=3)


def _places(rows: int, columns: int, like: Tensor) -> Tensor:
    """Centres of the latent's places as parts of the picture, (rows * columns, 2)."""
    y = (torch.arange(rows, device=like.device, dtype=like.dtype) + 0.5) / rows
    x = (torch.arange(columns, device=like.device, dtype=like.dtype) + 0.5) / columns
    return torch.stack(torch.meshgrid(y, x, indexing='ij')[::-1], dim=-1).flatten(0, 1)


def _rays(camera: Camera, chunk: PoseChunk, places: Tensor) -> Tensor:
    """(batch, frames, places, 6)."""
    position, rotation = chunk.position[:, :, None], chunk.rotation[:, :, None]
    origin, direction = camera.rays(places, position, rotation)
    if camera.mount == 'base':
        origin = (rotation.mT @ (origin - tcp_position(position, rotation))[..., None])[..., 0]
        direction = (rotation.mT @ direction[..., None])[..., 0]
    else:
        origin = origin - origin.new_tensor(TABLE_CENTRE_M)
    direction = functional.normalize(direction, dim=-1)
    nearest = origin - (origin * direction).sum(-1, keepdim=True) * direction
    return torch.cat([direction, (nearest / RAY_SCALE_M).asinh()], dim=-1)


def _warped(camera: Camera, view: Tensor, chunk: PoseChunk, places: Tensor) -> Tensor:
    """(batch, frames, channels, rows, columns) of one view."""
    batch, frames = chunk.position.shape[:2]
    came_from = _origins(camera, chunk, places)
    grid = (2.0 * came_from - 1.0).reshape(batch * frames, *view.shape[-2:], 2)
    repeated = view[:, None].expand(-1, frames, -1, -1, -1).flatten(0, 1)
    sampled = functional.grid_sample(
        repeated, grid.to(view), mode='bicubic', padding_mode='border', align_corners=False
    )
    return sampled.unflatten(0, (batch, frames))


def _origins(camera: Camera, chunk: PoseChunk, places: Tensor) -> Tensor:
    """Where in the present picture each place was, (batch, frames, places, 2)."""
    position, rotation = chunk.position[:, :, None], chunk.rotation[:, :, None]
    if camera.mount == 'flange':
        points = camera.on_plane(places, position, rotation, SEEN_HEIGHT_M)
    else:
        points = _moved_back(camera, chunk, places)
    return camera.project(points, position[:, :1], rotation[:, :1])


def _moved_back(camera: Camera, chunk: PoseChunk, places: Tensor) -> Tensor:
    """Points of the hand that are seen at places, where the hand is in the present.

    The hand is taken for a card through the tool centre point that faces the camera.
    """
    position, rotation = chunk.position[:, :, None], chunk.rotation[:, :, None]
    origin, direction = camera.rays(places, position, rotation)
    forward = origin.new_tensor(camera.rotation)[:, 2]
    tool = tcp_position(position, rotation)
    depth = ((tool - origin) * forward).sum(-1, keepdim=True)
    points = origin + direction * depth  # a ray advances by one along the optical axis
    in_hand = rotation.mT @ (points - position)[..., None]
    return position[:, :1] + (rotation[:, :1] @ in_hand)[..., 0]
