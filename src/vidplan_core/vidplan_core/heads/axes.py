# SPDX-License-Identifier: Apache-2.0
"""Which way long things lie on the table, from where views show them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.camera import Camera

# Of `beside_axes`: cosine and sine of twice the angle, elongation, and how well it is seen.
AXIS = 4
# Relevancy from which on a cell of a map counts as the thing's.
LEAST_RELEVANCY = 0.6
# Cells farther than this from the place of a thing belong to something else, m.
GATE_M = 0.15
# Relevancy above LEAST_RELEVANCY, summed over cells, of which a thing is seen half well.
HALF_SEEN = 0.2


def axes_of(cameras: Sequence[Camera], maps: Tensor, places: Tensor, poses: PoseChunk) -> Tensor:
    """How things lie, (batch, things, 4): e cos 2a, e sin 2a, e and a certainty in [0, 1].

    The angle a of the long axis in the plane of the table, from the x axis of the base frame, and
    the elongation e = (l1 - l2) / (l1 + l2) are those of the second moments of what a map shows,
    laid on the plane of the thing's height; l1 and l2 are their eigenvalues. Doubled, an angle has
    no ends to tell apart. Cameras that stand aside stretch tall things along their rays, so
    where there are cameras on the hand they alone count. Without cameras nothing is known: zeros.

    Args:
        cameras: one per view.
        maps: relevancy, (batch, things, views, rows, columns) in [0, 1].
        places: of the things, (batch, things, 4), as `InstructionGrounding` has them.
        poses: flange poses (batch, frames), frame 0 of when the views were seen.
    """
    if not cameras:
        return torch.zeros_like(places)
    on_hand = [view for view, camera in enumerate(cameras) if camera.mount == 'flange']
    found = [
        _moments(cameras[view], maps[:, :, view].flatten(2), maps.shape[-2:], places, poses)
        for view in on_hand or range(len(cameras))
    ]
    weight = sum(found[1:], found[0])
    mass = weight[..., 0]
    mean = weight[..., 1:3] / mass.clamp_min(1e-6)[..., None]
    xx, xy, yy = (weight[..., 3:] / mass.clamp_min(1e-6)[..., None]).unbind(-1)
    xx, xy, yy = xx - mean[..., 0] ** 2, xy - mean[..., 0] * mean[..., 1], yy - mean[..., 1] ** 2
    size = (xx + yy).clamp_min(1e-8)
    doubled = torch.stack([xx - yy, 2.0 * xy], -1) / size[..., None]
    certainty = mass / (mass + HALF_SEEN)
    return torch.cat([doubled, doubled.norm(dim=-1, keepdim=True), certainty[..., None]], -1)


def _moments(
    camera: Camera, flat: Tensor, size: tuple[int, ...], places: Tensor, poses: PoseChunk
) -> Tensor:
    """Mass and sums (batch, things, 6) of x, y, xx, xy and yy of cells beside their place."""
    rows, columns = (((torch.arange(n) + 0.5) / n).to(places) for n in size)
    y, x = torch.meshgrid(rows, columns, indexing='ij')
    cells = torch.stack([x, y], -1).flatten(0, 1)
    position, rotation = (pose[:, 0, None, None].to(places) for pose in
                          (poses.position, poses.rotation))  # fmt: skip
    points = camera.on_plane(cells, position, rotation, places[:, :, None, 2:3])
    gaps = (points - places[:, :, None, :3])[..., :2]
    weight = (flat.to(places) - LEAST_RELEVANCY).clamp_min(0.0) * (gaps.norm(dim=-1) < GATE_M)
    gx, gy = gaps.unbind(-1)
    terms = torch.stack([torch.ones_like(gx), gx, gy, gx * gx, gx * gy, gy * gy], -1)
    return (weight[..., None] * terms).sum(2)


def beside_axes(axes: Tensor, rotation: Tensor) -> Tensor:
    """How the hand is turned beside things, (..., AXIS).

    Args:
        axes: (..., 4), as `axes_of` has them.
        rotation: of the flange, (..., 3, 3); a hand that looks down is turned as its first column.
    """
    x, y = torch.nn.functional.normalize(rotation[..., :2, 0].to(axes), dim=-1).unbind(-1)
    cosine, sine = x * x - y * y, 2.0 * x * y
    elongation, certainty = axes[..., 2:3], axes[..., 3:]
    along = axes[..., :2] / elongation.clamp_min(1e-6)
    relative = torch.stack(
        [along[..., 0] * cosine + along[..., 1] * sine,
         along[..., 1] * cosine - along[..., 0] * sine], -1)  # fmt: skip
    return torch.cat([relative * certainty, elongation * certainty, certainty], -1)
