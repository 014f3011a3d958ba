# SPDX-License-Identifier: Apache-2.0
"""What a world model is trained on: cell episodes, or latents of a robot's episodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from vidplan_core.errors import ConfigError, ModelError
from vidplan_core.geometry.camera import Camera, load_cameras
from vidplan_core.world_model.autoencoders.build import AnyAutoencoder, load_autoencoder
from vidplan_core.world_model.autoencoders.config import STRIDE, AutoencoderConfig
from vidplan_core.world_model.backbones.interface import BackboneConfig
from vidplan_core.world_model.backbones.unet2d import UNet2DConfig
from vidplan_core.world_model.checkpoint import world_model_config
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_core.world_model.released.presets import svd_for_cell
from vidplan_core.world_model.text import TextEncoder, load_text_encoder
from vidplan_eval.datasets.ctrl_world import CtrlWorldSource
from vidplan_eval.datasets.episode import Source
from vidplan_training.data.dataset import Shard, split
from vidplan_training.data.episode_clips import ClipSource, EpisodeClips, Window
from vidplan_training.data.extract_latents import extract
from vidplan_training.data.latents import ClipDataset, Clips, Statistics, encode_shards, statistics
from vidplan_training.data.readers.source import open_source
from vidplan_training.engine.processes import Processes
from vidplan_training.recipes.world_model.settings import (
    ClipSettings,
    ModelSizes,
    WorldModelRecipe,
)

BACKBONE_SIZES: dict[str, Callable[[], BackboneConfig]] = {
    'unet2d': UNet2DConfig,
    'svd': svd_for_cell,
}


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Batches to train on, clips to check by, and the model that fits them.

    text_encoder: for models that read the instruction, else None.
    """

    training: ClipSource
    held_out: Clips
    config: WorldModelConfig
    autoencoder: Any
    text_encoder: TextEncoder | None = None


class LatentsOnly(nn.Module):
    """Stands for the autoencoder that made given latents, where it is not at hand."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.config = AutoencoderConfig(latent_channels=channels)

    def encode(self, images: Tensor) -> Tensor:
        """Raise ModelError: there is nothing to encode with."""
        raise ModelError('this world model was made for latents; its autoencoder is not here')

    decode = decode_clips = encode


def gather(recipe: WorldModelRecipe) -> TrainingData:
    """Read, and encode where that is still to be done.

    Raises ConfigError when there is nothing to train on.
    """
    return _cell(recipe) if recipe.source == 'cell' else _robot(recipe)


def _cell(recipe: WorldModelRecipe) -> TrainingData:
    autoencoder = load_autoencoder(recipe.models / 'autoencoder')
    training, held_out = _encoded_shards(recipe.data, autoencoder)
    stats = statistics(training[0], recipe.model.frames)
    sizes = (tuple(range(recipe.model.history - 1, -1, -1)), recipe.model.frames)
    return TrainingData(
        ClipDataset(training, *sizes, stats),
        ClipDataset(held_out, *sizes, stats).random(0, recipe.checked, 1),
        replace(_config(recipe, stats, 96, 160), cameras=_cameras(recipe)),
        autoencoder,
    )


def _encoded_shards(data: Path, autoencoder: AnyAutoencoder) -> tuple[list[Shard], list[Shard]]:
    # Listed once: shards that are still being collected appear in the next run.
    training, held_out = split(data, False), split(data, True)
    processes = Processes()
    if processes.main:
        encode_shards(training + held_out, autoencoder)
    processes.wait()
    return training, held_out


def _robot(recipe: WorldModelRecipe) -> TrainingData:
    if recipe.start:
        config = world_model_config(recipe.start)
        training, held_out = clips_for(config, recipe)
    else:
        source = _with_latents(recipe)
        window = Window.consecutive(recipe.model.history, recipe.model.frames)
        paced = replace(window, skips=recipe.skips, still=recipe.still)
        training = EpisodeClips(source, False, paced)
        held_out = EpisodeClips(source, True, window, training.stats)
        _, rows, columns = training.shape
        size = (STRIDE * rows // len(source.views), STRIDE * columns)
        config = _config(recipe, training.stats, *size, source.views)
    return TrainingData(
        training,
        held_out.random(0, recipe.checked, 1),
        config,
        autoencoder_for(recipe.models, config),
        text_encoder_for(recipe.models, config),
    )


def clips_for(
    config: WorldModelConfig, settings: ClipSettings
) -> tuple[ClipSource, ClipSource]:
    """Training and held-out clips as a model that exists sees them.

    Raises ConfigError when the latents are of another size than the model's.
    """
    stats = Statistics.of(config)
    if settings.source == 'cell':
        autoencoder = load_autoencoder(settings.models / 'autoencoder')
        parts = _encoded_shards(settings.data, autoencoder)
        sizes = (config.seen_ages, config.frames)
        first, second = (ClipDataset(part, *sizes, stats) for part in parts)
        return first, second
    source = _with_latents(settings)
    window = Window(config.seen_ages, config.frames)
    paced = replace(window, skips=settings.skips, still=settings.still)
    training = EpisodeClips(source, False, paced, stats)
    _check_shape(config, training.shape)
    return training, EpisodeClips(source, True, window, stats)


def _with_latents(settings: ClipSettings) -> Source:
    source = open_source(settings)
    if settings.source != 'lerobot':
        return source
    if settings.latents is None:
        raise ConfigError('say where the latents of these episodes shall be: set latents=FOLDER')
    extract(source, settings.latents, settings.models / 'autoencoder')
    return CtrlWorldSource(settings.latents)


def _check_shape(config: WorldModelConfig, shape: tuple[int, ...]) -> None:
    expected = (len(config.latent_mean), config.latent_height, config.latent_width)
    if shape != expected:
        raise ConfigError(
            f'the latents (channels, rows, columns) are {shape}, the model has {expected}'
        )


def _config(
    recipe: WorldModelRecipe,
    stats: Statistics,
    height: int,
    width: int,
    views: tuple[str, ...] = WorldModelConfig().views,
) -> WorldModelConfig:
    return WorldModelConfig(
        views=views,
        height=height,
        width=width,
        frame_period_s=recipe.frame_period,
        history_frames=recipe.model.history,
        frames=recipe.model.frames,
        action_features=recipe.model.action_features,
        latent_mean=stats.mean,
        latent_std=stats.std,
        residual_std=stats.residual_std,
        backbone=_backbone(recipe.model),
    )


def _cameras(recipe: WorldModelRecipe) -> tuple[Camera, ...]:
    """The nominal cameras beside the models, for a backbone that can use them."""
    if not recipe.model.geometry or not _backbone(recipe.model).takes_cameras:
        return ()
    path = recipe.models / 'cameras.json'
    return tuple(load_cameras(path, WorldModelConfig().views).values())


def _backbone(model: ModelSizes) -> BackboneConfig:
    sizes = BACKBONE_SIZES[model.backbone]()
    if isinstance(sizes, UNet2DConfig):
        sizes = replace(sizes, still_gate=model.still_gate)
    return replace(sizes, widths=model.widths) if model.widths else sizes


def text_encoder_for(models: Path, config: WorldModelConfig) -> TextEncoder | None:
    """The text tower of a models folder, for a model that reads instructions."""
    return load_text_encoder(models / 'text_encoder') if config.backbone.reads_text else None


def autoencoder_for(models: Path, config: WorldModelConfig) -> Any:
    """The one of a models folder if it makes such latents, or else a stand-in."""
    channels = len(config.latent_mean)
    if (models / 'autoencoder').is_dir():
        autoencoder = load_autoencoder(models / 'autoencoder')
        if autoencoder.config.latent_channels == channels:
            return autoencoder
    return LatentsOnly(channels)
