# SPDX-License-Identifier: Apache-2.0
"""From a Rollout request to imagined pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from vidplan.ros.conversions import pose_arrays
from vidplan.ros.services import ServiceError
from vidplan_core.data.action import PoseChunk
from vidplan_core.data.observation import Observation
from vidplan_core.errors import ModelError
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_msgs.srv import Rollout

if TYPE_CHECKING:
    from vidplan_core.planner.system import PlanningSystem

_MAX_STEPS = 64


def rollout_chunk(request: Rollout.Request, frames: int, max_candidates: int) -> PoseChunk:
    """Return the requested motions.

    Raises:
        ServiceError: sizes that do not fit each other or the model, or numbers not finite.
    """
    codes = Rollout.Response
    total = request.candidates * request.frames
    if request.candidates < 1 or request.frames != frames:
        raise ServiceError(
            codes.WRONG_SIZE,
            f'{request.candidates} candidates of {request.frames} frames; at least one candidate '
            f'of {frames} frames is needed',
        )
    if request.candidates > max_candidates:
        raise ServiceError(
            codes.TOO_MANY, f'{request.candidates} candidates; at most {max_candidates}'
        )
    if len(request.poses) != total or len(request.closedness) != total:
        raise ServiceError(
            codes.WRONG_SIZE,
            f'{len(request.poses)} poses and {len(request.closedness)} closedness values; '
            f'candidates * frames is {total}',
        )
    if request.steps > _MAX_STEPS:
        raise ServiceError(codes.WRONG_SIZE, f'{request.steps} steps; at most {_MAX_STEPS}')
    return _chunk(request)


def _chunk(request: Rollout.Request) -> PoseChunk:
    positions, quaternions = pose_arrays(request.poses)
    closedness = np.array(request.closedness, np.float64)
    norms = np.linalg.norm(quaternions, axis=-1)
    finite = all(np.isfinite(values).all() for values in (positions, quaternions, closedness))
    if not finite or (norms < 1e-6).any():
        raise ServiceError(
            Rollout.Response.NONFINITE, 'a number is not finite, or a quaternion has no length'
        )
    shape = (request.candidates, request.frames)
    unit = torch.from_numpy(quaternions / norms[:, None]).float()
    return PoseChunk(
        torch.from_numpy(positions).float().reshape(*shape, 3),
        quaternion_to_matrix(unit).reshape(*shape, 3, 3),
        torch.from_numpy(closedness).float().reshape(shape),
    )


def _past(history: Sequence[Observation], device: torch.device) -> tuple[torch.Tensor, PoseChunk]:
    """Return the images (1, frames, ...) and poses (1, frames) of a history."""
    images = torch.from_numpy(np.stack([seen.image for seen in history]))[None]
    quaternions = torch.from_numpy(np.stack([seen.quaternion for seen in history])[None]).float()
    poses = PoseChunk(
        torch.from_numpy(np.stack([seen.position for seen in history])[None]).float(),
        quaternion_to_matrix(quaternions),
        torch.tensor([[seen.closedness for seen in history]]).float(),
    )
    return images.to(device), poses.to(device)


@torch.no_grad()
def imagine(
    system: PlanningSystem, history: Sequence[Observation], chunk: PoseChunk, steps: int, seed: int
) -> np.ndarray:
    """Return imagined images, uint8 (candidates * frames, views * height, width, 3).

    Raises:
        ModelError: the imagination is not finite.
        ObservationError: the history does not fit the world model.
    """
    context = system.world_model.context(*_past(history, system.device))
    latents = system.world_model.rollout(context, chunk.to(system.device), steps, seed % 2**31)
    if not bool(torch.isfinite(latents).all()):
        raise ModelError('the imagination is not finite; are these the right weights?')
    return np.concatenate([system.pictures(one[None]) for one in latents])
