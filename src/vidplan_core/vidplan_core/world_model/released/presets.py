# SPDX-License-Identifier: Apache-2.0
"""Sizes by name: Ctrl-World's, and backbones of its kind for the cell."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from vidplan_core.errors import ModelError
from vidplan_core.models.io import from_dict
from vidplan_core.world_model.autoencoders.build import build_autoencoder
from vidplan_core.world_model.autoencoders.config import SCALING_FACTOR, AutoencoderConfig
from vidplan_core.world_model.backbones.svd import SvdConfig
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_core.world_model.text import TextConfig, TextEncoder
from vidplan_core.world_model.world_model import WorldModel

# Which past frames the released rollouts see; a place is one call of the model, 4 new frames.
HISTORY_WITH_POLICY = (0, 0, -12, -9, -6, -3)
FRAMES_PER_CALL = 4


@dataclass(frozen=True)
class ModelSpec:
    """Everything that a world model is built from; without `text` it reads no instruction."""

    world_model: WorldModelConfig
    autoencoder: AutoencoderConfig
    text: TextConfig | None = None

    def build(self) -> WorldModel:
        """A model of random weights; inside `torch.device('meta')` one without any."""
        text = None if self.text is None else TextEncoder(self.text)
        return WorldModel(self.world_model, build_autoencoder(self.autoencoder), text)


def ctrl_world(target_time: bool = True) -> ModelSpec:
    """The released Ctrl-World (yjguo/Ctrl-World, 2025), or with `target_time` its flow map.

    Six past frames and the present, five frames out, three views of 192x320, poses normalised
    by DROID's percentiles. Upstream conditions its rollouts on a noise augmentation of
    0.02 although it was trained with 0; the noise on the past in training is upstream's, too.
    """
    backbone = SvdConfig(
        widths=(320, 640, 1280, 1280),
        layers_per_block=2,
        attention_head_dim=64,
        token_dim=1024,
        text_dim=512,
        noise_augmentation=0.02,
        present_scale=1.0 / SCALING_FACTOR,
        target_time=target_time,
    )
    world_model = WorldModelConfig(
        height=192,
        width=320,
        history_frames=7,
        history_idx=HISTORY_WITH_POLICY,
        history_stride=FRAMES_PER_CALL,
        history_noise=0.3,
        present_noise=0.2,
        action_features='droid',
        residual=False,
        latent_mean=(0.0,) * 4,
        latent_std=(1.0 / SCALING_FACTOR,) * 4,
        sigma_min=0.002,
        sigma_max=700.0,
        backbone=backbone,
    )
    autoencoder = AutoencoderConfig(4, (128, 256, 512, 512), 2, 'temporal')
    return ModelSpec(world_model, autoencoder, TextConfig())


def svd_for_cell() -> SvdConfig:
    """Ctrl-World's kind of network for the cell's views: about 20 M parameters."""
    return SvdConfig(widths=(64, 128, 192), layers_per_block=1, token_dim=128, micro_dim=64)


def read_spec(path: Path) -> ModelSpec:
    """A size from json: objects `world_model`, `autoencoder` and, if it reads text, `text`.

    Raises:
        ModelError: the file is missing, not json or has unknown keys.
    """
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ModelError(f'no size: {path} is missing') from error
    except ValueError as error:
        raise ModelError(f'{path} is not valid json: {error}') from error
    if not isinstance(values, dict) or not {'world_model', 'autoencoder'} <= set(values):
        raise ModelError(f"{path} needs the objects 'world_model' and 'autoencoder'")
    text = values.get('text')
    return ModelSpec(
        from_dict(WorldModelConfig, values['world_model']),
        from_dict(AutoencoderConfig, values['autoencoder']),
        None if text is None else from_dict(TextConfig, text),
    )
