# SPDX-License-Identifier: Apache-2.0
"""Layers that read crops of views, and what they ask of a configuration."""

from __future__ import annotations

from torch import nn

from vidplan_core.errors import ModelError
from vidplan_core.heads.detectors.crops import CHANNELS, SIDE
from vidplan_core.heads.network import GROUPS
from vidplan_core.world_model.config import WorldModelConfig

CONVOLUTIONS = 3


def look(widths: tuple[int, ...], features: int) -> nn.Sequential:
    """Layers of one view, (batch, CHANNELS, SIDE, SIDE) to (batch, features)."""
    layers: list[nn.Module] = []
    before = CHANNELS
    for width in widths:
        layers += [nn.Conv2d(before, width, 3, stride=2, padding=1),
                   nn.GroupNorm(GROUPS, width), nn.SiLU()]  # fmt: skip
        before = width
    left = -(-SIDE // 2**CONVOLUTIONS)
    return nn.Sequential(
        *layers, nn.Conv2d(before, 32, 1), nn.SiLU(), nn.Flatten(),
        nn.Linear(32 * left * left, features), nn.SiLU(),
    )  # fmt: skip


def require_widths(widths: tuple[int, ...]) -> None:
    """Raise ModelError unless these are widths of `look`."""
    if len(widths) != CONVOLUTIONS or any(width % GROUPS for width in widths):
        raise ModelError(f'a view has three widths, multiples of {GROUPS}: {widths}')


def require_cameras(what: str, views: int, model: WorldModelConfig) -> None:
    """Raise ModelError for a world model with other views, or that does not know its cameras."""
    if views != len(model.views) or not model.cameras:
        raise ModelError(
            f'{what} of {views} views with known cameras does not fit a world model of '
            f'{len(model.views)} views that knows {len(model.cameras)} cameras'
        )
