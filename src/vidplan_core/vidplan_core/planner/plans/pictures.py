# SPDX-License-Identifier: Apache-2.0
"""Pictures of what was imagined, for people."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.heads.heat_map import heat_map
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.plans.result import NO_PICTURES, Pictures
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.world_model import Imagination, WorldModel


@torch.no_grad()
def decoded(model: WorldModel, latents: Tensor | None) -> np.ndarray:
    """Pictures of latents (1, frames, ...), uint8 (frames, views*height, width, 3)."""
    sizes = model.config
    if latents is None:
        return np.zeros((0, len(sizes.views) * sizes.height, sizes.width, 3), np.uint8)
    return _stacked(model.decode(latents)[0])


def last_frames(model: WorldModel, ends: Tensor | None) -> np.ndarray:
    """Pictures of the last latents (candidates, 1, ...), uint8 (candidates, rows, width, 3)."""
    return decoded(model, None if ends is None else ends.transpose(0, 1))


@torch.no_grad()
def imagined_pictures(parts: PlannerParts, context: Context, chunk: PoseChunk) -> Pictures:
    """Imagine a chunk (1, frames) and draw its new frames and their uncertainty."""
    imagination = parts.imagine(context, chunk)
    frames = parts.world_model.decode(imagination.latents[:, 1:])
    return Pictures(_stacked(frames[0]), _heat_over(parts, imagination, frames))


@torch.no_grad()
def heat_of(
    parts: PlannerParts, context: Context, chunk: PoseChunk, frames: np.ndarray
) -> np.ndarray:
    """The heat map over a plan's frames, as `decoded` gives them; empty without them or a head."""
    if parts.heads.uncertainty_head is None or not len(frames):
        return NO_PICTURES
    views = torch.from_numpy(frames[1:]).unflatten(1, (len(parts.world_model.config.views), -1))
    shown = views.permute(0, 1, 4, 2, 3)[None].to(parts.device) / 255.0
    return _heat_over(parts, parts.imagine(context, chunk), shown)


def _heat_over(parts: PlannerParts, imagination: Imagination, frames: Tensor) -> np.ndarray:
    """The heat map over the new frames of an imagination; empty without a head."""
    estimate = parts.heads.heat(imagination)
    if estimate is None:
        return NO_PICTURES
    heat = heat_map(parts.world_model, estimate, frames, colours=parts.heat_colours)
    return _stacked(heat[0])


def _stacked(views: Tensor) -> np.ndarray:
    """Pictures (frames, views, 3, height, width) in [0, 1] as uint8 (frames, rows, width, 3)."""
    stacked = views.float().permute(0, 1, 3, 4, 2).flatten(1, 2)
    return (stacked * 255).round().to(torch.uint8).cpu().numpy()
