# SPDX-License-Identifier: Apache-2.0
"""Sizes and conventions of a world model; size is configuration, not code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vidplan_core.data.history import EPISODE_START
from vidplan_core.errors import ModelError
from vidplan_core.geometry.camera import Camera
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.geometry.camera_layout import CameraLayout
from vidplan_core.models.fields import require_ranges
from vidplan_core.models.io import FROM_JSON, from_dict
from vidplan_core.world_model.autoencoders.config import STRIDE
from vidplan_core.world_model.backbones.interface import BackboneConfig, ClipFormat
from vidplan_core.world_model.backbones.registry import read_backbone_config
from vidplan_core.world_model.backbones.unet2d import UNet2DConfig
from vidplan_core.world_model.sampling.flow import SIGMA_MAX, SIGMA_MIN


def _cameras(values: Sequence[Mapping[str, Any]]) -> tuple[Camera, ...]:
    return tuple(from_dict(Camera, camera) for camera in values)


@dataclass(frozen=True)
class WorldModelConfig:
    """What the world model sees and predicts.

    `history_frames` counts the present; `frames` counts the present too (frame 0 of the
    prediction is the present, DESIGN section 3). With `residual` the modelled data are the
    changes from the present latent, divided by `residual_std`. `sigma_min` and `sigma_max` bound
    the noise levels that condition the network and that the many-step sampler visits.

    `history_idx` says which past frames are seen, in Ctrl-World's notation: places in a list of
    frames that lie `history_stride` model frames apart, where -1 is the present and 0 the first
    frame of the episode; empty for the frames right before the present. `history_noise` and
    `present_noise` are for training only, see `augmentation.py`.

    `cameras` are the nominal ones of the views, in their order; with them `unet2d` is conditioned
    on what a motion means in every view, see `view_geometry.py`; without, it must learn that.
    """

    views: tuple[str, ...] = field(default_factory=lambda: default_layout().views)
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
    backbone: BackboneConfig = field(
        default=UNet2DConfig(), metadata={FROM_JSON: read_backbone_config}
    )
    cameras: tuple[Camera, ...] = field(default=(), metadata={FROM_JSON: _cameras})

    def __post_init__(self) -> None:
        self._check_cameras()
        self._check_numbers()
        past = self.history_frames - 1
        if self.history_idx and len(self.history_idx) != past:
            raise ModelError(f'history_idx needs {past} places, got {self.history_idx}')
        if any(index != 0 and index > -2 for index in self.history_idx):
            raise ModelError(
                f'history_idx holds 0 (first frame) or places before -1 (the present), not '
                f'{self.history_idx}'
            )

    def _check_numbers(self) -> None:
        require_ranges(
            self, height=(8, 8192), width=(8, 8192), frame_period_s=(0.001, 60.0),
            history_frames=(1, 1024), frames=(2, 1024), history_stride=(1, 1024),
            history_noise=(0.0, 1e3), present_noise=(0.0, 1e3), residual_std=(1e-6, 1e6),
            latent_std=(1e-6, 1e6), sigma_min=(1e-6, 1e6), sigma_max=(1e-6, 1e6),
        )  # fmt: skip
        if self.sigma_min >= self.sigma_max:
            raise ModelError(
                f'sigma_min must be below sigma_max, got {self.sigma_min} and {self.sigma_max}'
            )

    def _check_cameras(self) -> None:
        if self.cameras and len(self.cameras) != len(self.views):
            raise ModelError(f'{len(self.cameras)} cameras for the views {self.views}')
        if self.cameras and not self.backbone.takes_cameras:
            raise ModelError(f"a '{self.backbone.kind}' backbone takes no cameras")

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
    def layout(self) -> CameraLayout:
        """The stitched images that the world model sees."""
        return CameraLayout(self.views, self.height, self.width)

    @property
    def latent_height(self) -> int:
        """Rows of the stacked latent of all views."""
        return len(self.views) * self.height // STRIDE

    @property
    def latent_width(self) -> int:
        """Columns of the stacked latent."""
        return self.width // STRIDE

    def clip_format(self, channels: int, features: int) -> ClipFormat:
        """The clips that its backbone is built for: latent `channels`, `features` per action."""
        return ClipFormat(
            channels=channels,
            rows=self.latent_height,
            columns=self.latent_width,
            history_frames=self.history_frames,
            frames=self.frames,
            features=features,
            residual_std=self.residual_std if self.residual else None,
            sigma_min=self.sigma_min,
            sigma_max=self.sigma_max,
            cameras=bool(self.cameras),
        )
