# SPDX-License-Identifier: Apache-2.0
"""What a world model is trained on: cell episodes, or latents of a robot's episodes."""

from __future__ import annotations

import argparse
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
from vidplan_training.data.dataset import Shard, split
from vidplan_training.data.episode_clips import ClipSource, EpisodeClips, Window
from vidplan_training.data.extract_latents import extract
from vidplan_training.data.latents import ClipDataset, Clips, Statistics, encode_shards, statistics
from vidplan_training.data.readers.ctrl_world import CtrlWorldSource
from vidplan_training.data.readers.episode import Source
from vidplan_training.data.readers.options import add_source_arguments, open_source
from vidplan_training.engine.processes import Processes

CHECKED_CLIPS = 96
BACKBONE_SIZES: dict[str, Callable[[], BackboneConfig]] = {
    'unet2d': UNet2DConfig,
    'svd': svd_for_cell,
}


@dataclass(frozen=True, eq=False)
class Material:
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


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where the episodes are and how clips are cut from them."""
    add_source_arguments(parser, default='cell')
    parser.add_argument(
        '--latents', type=Path, help='folder for the latents of --source lerobot, in between'
    )
    parser.add_argument(
        '--skips',
        type=int,
        nargs='+',
        default=[1],
        help="frames per model frame, at random, for a robot's episodes (Ctrl-World: 1 2)",
    )
    parser.add_argument(
        '--still',
        type=float,
        default=0.0,
        help="share of a robot's clips whose history is the present (Ctrl-World: 0.15)",
    )


def add_size_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sizes of a new model."""
    usual = WorldModelConfig()
    sizes = parser.add_argument_group('sizes of a new model (of a robot: --start keeps its own)')
    sizes.add_argument('--backbone', choices=tuple(BACKBONE_SIZES), default=usual.backbone.kind)
    sizes.add_argument('--widths', type=int, nargs='+', help='of the levels of the network')
    sizes.add_argument(
        '--still-gate',
        action=argparse.BooleanOptionalAction,
        default=True,
        help='let unet2d say where nothing changes',
    )
    sizes.add_argument(
        '--geometry',
        action=argparse.BooleanOptionalAction,
        default=True,
        help='tell unet2d what motions mean in every view, by MODELS/cameras.json',
    )
    sizes.add_argument('--history', type=int, default=usual.history_frames)
    sizes.add_argument('--frames', type=int, default=usual.frames)
    sizes.add_argument(
        '--action-features', default=usual.action_features, help='relative, or droid (Ctrl-World)'
    )


def gather(args: argparse.Namespace) -> Material:
    """Read, and encode where that is still to be done.

    Raises ConfigError when there is nothing to train on.
    """
    return _cell(args) if args.source == 'cell' else _robot(args)


def _cell(args: argparse.Namespace) -> Material:
    autoencoder = load_autoencoder(args.models / 'autoencoder')
    training, held_out = _encoded_shards(args.data, autoencoder)
    stats = statistics(training[0], args.frames)
    sizes = (args.history, args.frames)
    return Material(
        ClipDataset(training, *sizes, stats),
        ClipDataset(held_out, *sizes, stats).random(0, CHECKED_CLIPS, 1),
        replace(_config(args, stats, 96, 160), cameras=_cameras(args)),
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


def _robot(args: argparse.Namespace) -> Material:
    if args.start:
        config = world_model_config(args.start)
        training, held_out = clips_for(config, args)
    else:
        source = _with_latents(args)
        window = Window.consecutive(args.history, args.frames)
        paced = replace(window, skips=tuple(args.skips), still=args.still)
        training = EpisodeClips(source, False, paced)
        held_out = EpisodeClips(source, True, window, training.stats)
        _, rows, columns = training.shape
        size = (STRIDE * rows // len(source.views), STRIDE * columns)
        config = _config(args, training.stats, *size, source.views)
    return Material(
        training,
        held_out.random(0, CHECKED_CLIPS, 1),
        config,
        autoencoder_for(args.models, config),
        text_encoder_for(args.models, config),
    )


def clips_for(config: WorldModelConfig, args: argparse.Namespace) -> tuple[ClipSource, ClipSource]:
    """Training and held-out clips as a model that exists sees them.

    Raises ConfigError when the latents are of another size than the model's.
    """
    stats = Statistics.of(config)
    if args.source == 'cell':
        parts = _encoded_shards(args.data, load_autoencoder(args.models / 'autoencoder'))
        sizes = (config.history_frames, config.frames)
        first, second = (ClipDataset(part, *sizes, stats) for part in parts)
        return first, second
    source = _with_latents(args)
    window = Window(config.seen_ages, config.frames)
    paced = replace(window, skips=tuple(args.skips), still=args.still)
    training = EpisodeClips(source, False, paced, stats)
    _check_shape(config, training.shape)
    return training, EpisodeClips(source, True, window, stats)


def _with_latents(args: argparse.Namespace) -> Source:
    source = open_source(args)
    if args.source != 'lerobot':
        return source
    if args.latents is None:
        raise ConfigError('say where the latents of these episodes shall be: --latents DIR')
    extract(source, args.latents, args.models / 'autoencoder')
    return CtrlWorldSource(args.latents)


def _check_shape(config: WorldModelConfig, shape: tuple[int, ...]) -> None:
    expected = (len(config.latent_mean), config.latent_height, config.latent_width)
    if shape != expected:
        raise ConfigError(
            f'the latents (channels, rows, columns) are {shape}, the model has {expected}'
        )


def _config(
    args: argparse.Namespace,
    stats: Statistics,
    height: int,
    width: int,
    views: tuple[str, ...] = WorldModelConfig().views,
) -> WorldModelConfig:
    return WorldModelConfig(
        views=views,
        height=height,
        width=width,
        frame_period_s=args.frame_period,
        history_frames=args.history,
        frames=args.frames,
        action_features=args.action_features,
        latent_mean=stats.mean,
        latent_std=stats.std,
        residual_std=stats.residual_std,
        backbone=_backbone(args),
    )


def _cameras(args: argparse.Namespace) -> tuple[Camera, ...]:
    """The nominal cameras beside the models, for a backbone that can use them."""
    path: Path = args.models / 'cameras.json'
    if not args.geometry or not _backbone(args).takes_cameras:
        return ()
    return tuple(load_cameras(path, WorldModelConfig().views).values())


def _backbone(args: argparse.Namespace) -> BackboneConfig:
    sizes = BACKBONE_SIZES[args.backbone]()
    if isinstance(sizes, UNet2DConfig):
        sizes = replace(sizes, still_gate=args.still_gate)
    return replace(sizes, widths=tuple(args.widths)) if args.widths else sizes


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
