# SPDX-License-Identifier: Apache-2.0
"""The action-conditioned video world model: encode, roll out, decode."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ConfigError, ModelError, ObservationError
from vidplan_core.models.precision import fast_precision
from vidplan_core.world_model.autoencoders.build import AnyAutoencoder
from vidplan_core.world_model.autoencoders.config import STRIDE
from vidplan_core.world_model.backbones.interface import Condition
from vidplan_core.world_model.backbones.registry import build_backbone
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_core.world_model.context import FEATURES, Context, action_tokens
from vidplan_core.world_model.outcome import MotionOutcome, OutcomeReadout
from vidplan_core.world_model.sampling.flow import RawNetwork
from vidplan_core.world_model.sampling.sampler import (
    NetworkEvaluation,
    SamplingConfig,
    guided_network,
    integrate,
)
from vidplan_core.world_model.text import TextEncoder
from vidplan_core.world_model.view_geometry import ray_maps, warp

# Children of a world model that are stored in folders of their own.
OTHER_PARTS = ('autoencoder.', 'text_encoder.', 'outcome.')


@dataclass(frozen=True)
class Imagination:
    """Imagined latents with what the heads need to judge them.

    latents: (candidates, frames, channels, rows, columns), frame 0 the present.
    condition: what the network was conditioned on.
    last: the last evaluation of the network.
    chunk: the poses that it was imagined for, frame 0 the present.
    outcome: what the new frames are expected to measure, from a model that says so.
    """

    latents: Tensor
    condition: Condition
    last: NetworkEvaluation
    chunk: PoseChunk
    outcome: MotionOutcome | None = None

    @property
    def measured(self) -> PoseChunk:
        """The chunk as it will have been measured: what to feed back as the past."""
        return self.chunk if self.outcome is None else self.outcome.measured(self.chunk)


class WorldModel(nn.Module):
    """Imagines what a chunk of poses would look like in all views."""

    mean: Tensor
    std: Tensor
    # Whether the networks run in the machine's fast precision. Only they: poses and actions
    # around them must not be rounded to bfloat16's 8 bits, which is millimetres on a robot.
    fast: bool = False

    def __init__(
        self,
        config: WorldModelConfig,
        autoencoder: AnyAutoencoder,
        text_encoder: TextEncoder | None = None,
    ) -> None:
        super().__init__()
        channels = autoencoder.config.latent_channels
        for name in ('latent_mean', 'latent_std'):
            if len(getattr(config, name)) != channels:
                raise ModelError(f'{name} needs {channels} numbers, one per latent channel')
        self.config = config
        self.autoencoder = autoencoder.requires_grad_(False)
        self.text_encoder = text_encoder
        self.outcome: OutcomeReadout | None = None
        if config.action_features not in FEATURES:
            raise ModelError(
                f"unknown action features '{config.action_features}'; known: {', '.join(FEATURES)}"
            )
        features = FEATURES[config.action_features]
        self.backbone = build_backbone(config.backbone, config.clip_format(channels, features))
        for name, values in (('mean', config.latent_mean), ('std', config.latent_std)):
            # On a device of its own: a model may be built on the meta device first.
            numbers = torch.tensor(values, device='cpu').reshape(1, 1, channels, 1, 1)
            self.register_buffer(name, numbers, persistent=False)

    # Images and latents

    def encode(self, images: Tensor) -> Tensor:
        """Normalised latents of stitched images.

        Args:
            images: uint8 (batch, frames, views*height, width, 3).

        Returns:
            (batch, frames, channels, views*height/8, width/8).
        """
        self._check(images)
        batch, frames = images.shape[:2]
        views = len(self.config.views)
        pixels = images.reshape(-1, self.config.height, self.config.width, 3)
        scaled = pixels.permute(0, 3, 1, 2).to(self.mean.dtype) / 127.5 - 1.0
        with self._precision():
            latents = self.autoencoder.encode(scaled)
        stacked = latents.to(scaled).unflatten(0, (batch, frames, views)).transpose(2, 3)
        return (stacked.flatten(3, 4) - self.mean) / self.std

    def decode(self, latents: Tensor, chosen: Sequence[int] = ()) -> Tensor:
        """Images (batch, frames, views, 3, height, width) in [0, 1], view by view.

        Of the views `chosen` by number, of all where none is. Clipped with a gradient inside the
        range only, like every real camera.
        """
        views = len(self.config.views)
        raw = (latents * self.std + self.mean).unflatten(3, (views, -1)).movedim(3, 1)
        raw = raw[:, list(chosen)] if chosen else raw
        with self._precision():
            pictures = self.autoencoder.decode_clips(raw.flatten(0, 1))
        pictures = pictures.to(raw).unflatten(0, raw.shape[:2]).transpose(1, 2)
        return (pictures * 0.5 + 0.5).clamp(0.0, 1.0)

    def context(self, images: Tensor, poses: PoseChunk, instruction: str = '') -> Context:
        """Encode the past: images uint8 (1, history, ...), poses (1, history).

        The frames are those of `config.history_ages`, oldest first, the present last.
        """
        self._check_past(images.shape[1], poses)
        return self.past(self.encode(images), poses, instruction)

    def past(self, latents: Tensor, poses: PoseChunk, instruction: str = '') -> Context:
        """`context` of frames that are encoded already, latents (1, history, ...)."""
        self._check_past(latents.shape[1], poses)
        text = None
        if self.text_encoder is not None:
            text = self.text_encoder([instruction]).expand(len(latents), -1)
        return Context(latents, poses, text, self.config.history_ages)

    # Imagination

    def rollout(
        self,
        context: Context,
        chunk: PoseChunk,
        steps: int = 1,
        seed: int = 0,
        sampling: SamplingConfig | None = None,
    ) -> Tensor:
        """Imagined latents (candidates, frames, channels, rows, columns), frame 0 the present.

        Args:
            context: the past; a batch of one is shared by all candidates.
            chunk: poses (candidates, frames), frame 0 the present.
            steps: jumps of the flow map, without guidance.
            seed: of the noise.
            sampling: any other way to sample; it replaces `steps`.
        """
        return self.imagine(context, chunk, sampling or SamplingConfig(steps), seed).latents

    def imagine(
        self, context: Context, chunk: PoseChunk, sampling: SamplingConfig, seed: int = 0
    ) -> Imagination:
        """`rollout`, with what the heads need.

        Differentiable in the chunk. All candidates share the same noise, so that their
        difference is the difference of their actions.
        """
        candidates, frames = chunk.position.shape[:2]
        if frames != self.config.frames:
            raise ConfigError(f'a chunk has {self.config.frames} frames, not {frames}')
        if len(context.latents) != candidates:
            context = context.expand(candidates)
        condition = self.condition(context, chunk)
        noise = self.noise(seed, frames).expand(candidates, -1, -1, -1, -1)
        data, last = self.sample(condition, noise, sampling)
        latents = self.from_data(data, context.latents[:, -1:])
        outcome = self.read_outcome(latents[:, 1:], condition)
        return Imagination(latents, condition, last, chunk, outcome)

    def read_outcome(self, latents: Tensor, condition: Condition) -> MotionOutcome | None:
        """What new frames (batch, frames, ...) come to; None from a model without a readout."""
        if self.outcome is None:
            return None
        tokens = condition.actions[:, -self.config.frames :]
        found: MotionOutcome = self.outcome(latents, condition.history[:, -1], tokens)
        return found

    def unmoved(self, imagination: Imagination) -> Imagination:
        """The present in place of every frame, and what a hand that stays would measure.

        What an imagination is worth beside none: its poses stay, its pictures do not.
        """
        condition, frames = imagination.condition, self.config.frames
        latents = condition.history[:, -1:].expand_as(imagination.latents)
        still = condition.actions[:, -frames : 1 - frames].expand(-1, frames, -1)
        outcome = self.read_outcome(latents[:, 1:], replace(condition, actions=still))
        return replace(imagination, latents=latents, outcome=outcome)

    def sample(
        self, condition: Condition, noise: Tensor, sampling: SamplingConfig
    ) -> tuple[Tensor, NetworkEvaluation]:
        """Data (see `to_data`) from noise (batch, frames, channels, rows, columns)."""
        network = self.guided(condition, sampling)
        grid = sampling.grid(self.config.sigma_min, self.config.sigma_max)
        return integrate(network, noise, sampling, grid)

    def guided(self, condition: Condition, sampling: SamplingConfig) -> RawNetwork:
        """`network`, with the guidance that a way of sampling asks for."""
        network = self.network(condition)
        if not sampling.guided:
            return network
        dropped = self.network(condition.without_actions())
        return guided_network(network, dropped, sampling.guidance(self.config.frames))

    def network(self, condition: Condition, exact: bool = False) -> RawNetwork:
        """The backbone under a condition, in the precision that `fast` asks for.

        `exact` asks for full precision and no compilation: compiled code has no second
        derivatives, and rounded ones say little.
        """
        kind = self.mean.device.type
        precision = partial(torch.autocast, kind, enabled=False) if exact else self._precision
        backbone = self.backbone.forward if exact else self.backbone

        def network(noisy: Tensor, start: Tensor, target: Tensor) -> Tensor:
            with precision():
                raw: Tensor = backbone(noisy, condition, start, target)
            return raw.to(noisy)

        return network

    def condition(self, context: Context, chunk: PoseChunk) -> Condition:
        """What the network is conditioned on: a past and a chunk, batches of the same size."""
        seen = context.seen(self.config)
        plain = Condition(seen.latents, self.actions(seen.poses, chunk), seen.text)
        if not (cameras := self.config.cameras):
            return plain
        present = seen.latents[:, -1]
        rays = ray_maps(cameras, chunk, present.shape[-2] // len(cameras), present.shape[-1])
        return replace(plain, rays=rays, warped=warp(cameras, present, chunk))

    def actions(self, past: PoseChunk, chunk: PoseChunk) -> Tensor:
        """Features per frame, history first, of the kind that the network reads.

        `past` ends with the present and `chunk` begins with it.
        """
        return action_tokens(past, chunk, self.config.action_features)

    def advance(self, context: Context, latents: Tensor, chunk: PoseChunk, frame: int) -> Context:
        """The past as it will be at `frame` of an imagined chunk: imagination fed back."""
        return context.later(latents, chunk, frame, self.config)

    def noise(self, seed: int, frames: int) -> Tensor:
        """Seeded noise (1, frames, channels, rows, columns), the same on every device."""
        generator = torch.Generator().manual_seed(seed)
        channels = self.mean.shape[2]
        shape = (1, frames, channels, self.config.latent_height, self.config.latent_width)
        return torch.randn(shape, generator=generator).to(self.mean)

    def to_data(self, latents: Tensor, present: Tensor) -> Tensor:
        """What the network models: latents, or their change from the present."""
        if not self.config.residual:
            return latents
        return (latents - present) / self.config.residual_std

    def from_data(self, data: Tensor, present: Tensor) -> Tensor:
        """Inverse of `to_data`."""
        return data * self.config.residual_std + present if self.config.residual else data

    def _precision(self) -> AbstractContextManager[object]:
        return fast_precision(self.mean.device) if self.fast else nullcontext()

    def _check_past(self, frames: int, poses: PoseChunk) -> None:
        expected = self.config.history_frames
        if frames != expected or poses.frames != expected:
            raise ObservationError(
                f'the world model needs {expected} past frames, the present included; got '
                f'{frames} images and {poses.frames} poses'
            )

    def _check(self, images: Tensor) -> None:
        rows = len(self.config.views) * self.config.height
        expected: Sequence[int] = (rows, self.config.width, 3)
        if images.ndim != 5 or tuple(images.shape[2:]) != tuple(expected):
            raise ObservationError(
                f'expected stitched images (batch, frames, {rows}, {self.config.width}, 3), '
                f'got {tuple(images.shape)}'
            )
        if images.dtype != torch.uint8:
            raise ObservationError(f'images must be uint8, not {images.dtype}')
        if rows % STRIDE or self.config.width % STRIDE:
            raise ModelError(f'view sizes must be multiples of {STRIDE}')
