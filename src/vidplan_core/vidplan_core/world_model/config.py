# SPDX-License-Identifier: Apache-2.0
"""Sizes and conventions of a world model; size is configuration, not code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from vidplan_core.errors import ModelError
from vidplan_core.world_model.flow import SIGMA_MAX, SIGMA_MIN

T = TypeVar('T')


@dataclass(frozen=True)
class AutoencoderConfig:
    """Per-view convolutional autoencoder with a stride of 8."""

    latent_channels: int = 8
    widths: tuple[int, int, int] = (32, 64, 128)
    blocks: int = 2


@dataclass(frozen=True)
class BackboneConfig:
    """The denoising network: `kind` chooses the implementation."""

    kind: str = 'unet2d'
    widths: tuple[int, ...] = (64, 128, 192)
    layers_per_block: int = 1
    attention_head_dim: int = 32
    position_channels: int = 8
    token_dim: int = 128


@dataclass(frozen=True)
class WorldModelConfig:
    """What the world model sees and predicts.

    `history_frames` counts the present; `frames` counts the present too (frame 0 of the
    prediction is the present, DESIGN section 3). With `residual` the modelled data are the
    changes from the present latent, divided by `residual_std`. `sigma_min` and `sigma_max` bound
    the noise levels that the network is told of and that the many-step sampler visits.
    """

    views: tuple[str, ...] = ('left', 'right', 'wrist')
    height: int = 96
    width: int = 160
    frame_period_s: float = 0.2
    history_frames: int = 2
    frames: int = 5
    action_features: str = 'relative'
    residual: bool = True
    residual_std: float = 1.0
    latent_mean: tuple[float, ...] = ()
    latent_std: tuple[float, ...] = ()
    sigma_min: float = SIGMA_MIN
    sigma_max: float = SIGMA_MAX
    backbone: BackboneConfig = BackboneConfig()

    @property
    def latent_height(self) -> int:
        """Rows of the stacked latent of all views."""
        return len(self.views) * self.height // 8

    @property
    def latent_width(self) -> int:
        """Columns of the stacked latent."""
        return self.width // 8


def to_dict(config: Any) -> dict[str, Any]:
    """Plain dictionary of a configuration dataclass, ready for json."""
    return asdict(config)


def from_dict(kind: type[T], values: Mapping[str, Any]) -> T:
    """Build a configuration from json values; raises ModelError naming unknown keys."""
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ModelError(f'{kind.__name__} has no key {unknown}; known keys: {sorted(known)}')
    return kind(**{name: _value(name, value) for name, value in values.items()})


def _value(name: str, value: Any) -> Any:
    if name == 'backbone':
        return from_dict(BackboneConfig, value)
    return tuple(value) if isinstance(value, list) else value
