# SPDX-License-Identifier: Apache-2.0
"""Sizes and conventions of a world model; size is configuration, not code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from vidplan_core.data.history import EPISODE_START
from vidplan_core.errors import ModelError
from vidplan_core.geometry.camera import Camera
from vidplan_core.world_model.flow import SIGMA_MAX, SIGMA_MIN

T = TypeVar('T')

# SVD's latents times this have about unit variance; Ctrl-World models those.
SCALING_FACTOR = 0.18215


@dataclass(frozen=True)
class AutoencoderConfig:
    """Per-view autoencoder with a stride of 8: `convolutional` (ours) or `temporal` (SVD's)."""

    latent_channels: int = 8
    widths: tuple[int, ...] = (32, 64, 128)
    blocks: int = 2
    kind: str = 'convolutional'


@dataclass(frozen=True)
class TextConfig:
    """CLIP's text tower; the values are those of openai/clip-vit-base-patch32."""

    vocabulary: int = 49408
    positions: int = 77
    width: int = 512
    layers: int = 12
    heads: int = 8
    projection: int = 512


@dataclass(frozen=True)
class BackboneConfig:
    """The denoising network: `kind` chooses the implementation, `unet2d` or `svd`.

    The fields from `text_dim` on belong to `svd`.

    Attributes:
        still_gate: whether `unet2d` may say of each place and frame that nothing changes.
        text_dim: length of the instruction's embedding; 0 for a network that reads none. It
            must divide `token_dim`.
        frame_rate, motion_bucket, noise_augmentation: the three numbers by which SVD is told
            of the clip; noise_augmentation is what it is told, not noise that is added.
        micro_dim: sinusoids per such number.
        present_scale: of the present latent in the condition channels.
        target_time: whether the network is told the time that a step aims at.
        target_scale: of that time before its sinusoids, which are made for 0 .. 1000.
    """

    kind: str = 'unet2d'
    widths: tuple[int, ...] = (64, 128, 192)
    layers_per_block: int = 1
    attention_head_dim: int = 32
    position_channels: int = 8
    token_dim: int = 128
    still_gate: bool = False
    text_dim: int = 0
    frame_rate: float = 7.0
    motion_bucket: float = 127.0
    noise_augmentation: float = 0.0
    micro_dim: int = 256
    present_scale: float = 1.0
    target_time: bool = True
    target_scale: float = 1000.0


@dataclass(frozen=True)
class WorldModelConfig:
    """What the world model sees and predicts.

    `history_frames` counts the present; `frames` counts the present too (frame 0 of the
    prediction is the present, DESIGN section 3). With `residual` the modelled data are the
    changes from the present latent, divided by `residual_std`. `sigma_min` and `sigma_max` bound
    the noise levels that the network is told of and that the many-step sampler visits.

    `history_idx` says which past frames are seen, in Ctrl-World's notation: places in a list of
    frames that lie `history_stride` model frames apart, where -1 is the present and 0 the first
    frame of the episode; empty for the frames right before the present. `history_noise` and
    `present_noise` are for training only, see `augmentation.py`.

    `cameras` are the nominal ones of the views, in their order; with them `unet2d` is told what
    a motion means in every view, see `view_geometry.py`. None, and it must find out by itself.
    """

    views: tuple[str, ...] = ('left', 'right', 'wrist')
    height: int = 96
    width: int = 160
    frame_period_s: float = 0.2
    history_frames: int = 2
    frames: int = 5
    history_idx: tuple[int, ...] = ()
    history_stride: int = 1
    history_noise: float = 0.05
    present_noise: float = 0.05
    action_features: str = 'relative'
    residual: bool = True
    residual_std: float = 1.0
    latent_mean: tuple[float, ...] = ()
    latent_std: tuple[float, ...] = ()
    sigma_min: float = SIGMA_MIN
    sigma_max: float = SIGMA_MAX
    backbone: BackboneConfig = BackboneConfig()
    cameras: tuple[Camera, ...] = ()

    def __post_init__(self) -> None:
        self._check_cameras()
        past = self.history_frames - 1
        if self.history_idx and len(self.history_idx) != past:
            raise ModelError(f'history_idx needs {past} places, got {self.history_idx}')
        if any(index != 0 and index > -2 for index in self.history_idx):
            raise ModelError(
                f'history_idx holds 0 (first frame) or places before -1 (the present), not '
                f'{self.history_idx}'
            )

    def _check_cameras(self) -> None:
        if self.cameras and len(self.cameras) != len(self.views):
            raise ModelError(f'{len(self.cameras)} cameras for the views {self.views}')
        if self.cameras and self.backbone.kind != 'unet2d':
            raise ModelError(f"a '{self.backbone.kind}' backbone is not told of cameras")

    @property
    def history_ages(self) -> tuple[int, ...]:
        """How many model frames before the present each history frame lies, the present last.

        Empty for consecutive frames. `EPISODE_START` is farther back than anything.
        """
        if not self.history_idx:
            return ()
        ages = (
            EPISODE_START if index == 0 else -(index + 1) * self.history_stride
            for index in self.history_idx
        )
        return (*ages, 0)

    @property
    def seen_ages(self) -> tuple[int, ...]:
        """`history_ages`, those of consecutive frames included."""
        return self.history_ages or tuple(range(self.history_frames - 1, -1, -1))

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
    if name == 'cameras':
        return tuple(from_dict(Camera, camera) for camera in value)
    return _tuples(value)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
