# SPDX-License-Identifier: Apache-2.0
"""Where in the room the things of an instruction are, and where the tool is beside them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.camera import Camera
from vidplan_core.geometry.fk import tcp_position

# Prior of where a thing is before any view shows it: above the table, base frame, m.
USUAL_M = (0.5, 0.0, 0.05)
USUAL_TRUST_M = (0.3, 0.3, 0.1)
# Offsets are encoded as asinh(d / this): exactly near the fingers, roughly far away.
SCALE_M = 0.05
# Of `offsets`: five vectors (the tool from target and destination, then and now; the target
# from the destination), their lengths, two lengths in the plane, and two certainties.
FEATURES = 5 * 3 + 5 + 2 + 2


def triangulate(
    cameras: Sequence[Camera],
    centroid: Tensor,
    certainty: Tensor,
    position: Tensor,
    rotation: Tensor,
) -> Tensor:
    """Points (batch, 3), base frame, m, nearest to the rays of all views; differentiable.

    Least squares of the distances from the rays, each weighted by its certainty and its
    camera's trust, and of the distance from `USUAL_M`, which decides where no view shows
    anything. Unlike a plane at the table's height this also finds what has been lifted.

    Args:
        cameras: one per view.
        centroid: (batch, views, 2), x and y in [0, 1] of the picture.
        certainty: (batch, views) in [0, 1].
        position, rotation: of the flange, (batch, 3) and (batch, 3, 3).
    """
    usual = centroid.new_tensor(USUAL_M)
    precision = torch.diag(centroid.new_tensor(USUAL_TRUST_M) ** -2)
    matrix, vector = precision.expand(len(centroid), 3, 3), (precision @ usual)
    vector = vector.expand(len(centroid), 3)
    for view, camera in enumerate(cameras):
        origin, direction = camera.rays(centroid[:, view], position, rotation)
        along = torch.nn.functional.normalize(direction, dim=-1)
        identity = torch.eye(3, dtype=along.dtype, device=along.device)
        across = identity - along[:, :, None] * along[:, None]
        across = across * (certainty[:, view] / camera.trust_m**2)[:, None, None]
        matrix = matrix + across
        vector = vector + (across @ origin.expand_as(along)[..., None])[..., 0]
    return torch.linalg.solve(matrix, vector)


def offsets(places: Tensor, chunk: PoseChunk) -> Tensor:
    """Where the tool is beside target and destination, (batch, new frames, FEATURES).

    Differentiable in the poses.

    Args:
        places: (batch, 2, 4), target and destination: x, y, z in m, base frame, and certainty
            in [0, 1], 0 where there is none.
        chunk: flange poses (batch, frames), frame 0 the present.
    """
    tool = tcp_position(chunk.position, chunk.rotation)
    points, certainty = places[..., :3].to(tool), places[..., 3].to(tool)
    gaps = tool[:, :, None] - points[:, None]  # (batch, frames, 2, 3)
    new, now = gaps[:, 1:], gaps[:, :1].expand_as(gaps[:, 1:])
    between = (points[:, 0] - points[:, 1])[:, None, None].expand_as(new[:, :, :1])
    vectors = torch.cat([new, now, between], dim=2)
    lengths = (vectors.square().sum(-1) + 1e-8).sqrt()
    lengths = torch.cat([lengths, (new[..., :2].square().sum(-1) + 1e-8).sqrt()], dim=2)
    of_pair = certainty.prod(1, keepdim=True)
    weight = torch.cat([certainty, certainty, of_pair], dim=1)[:, None]
    encoded = (vectors / SCALE_M).asinh() * weight[..., None]
    sizes = (lengths / SCALE_M).asinh() * torch.cat([weight, certainty[:, None]], dim=2)
    return torch.cat([encoded.flatten(2), sizes, _per_frame(certainty, new)], dim=-1)


def _per_frame(certainty: Tensor, like: Tensor) -> Tensor:
    """The certainties for every new frame, (batch, frames, 2)."""
    return certainty[:, None].expand(-1, like.shape[1], -1)
