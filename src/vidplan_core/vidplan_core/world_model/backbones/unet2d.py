# SPDX-License-Identifier: Apache-2.0
"""A 2-D U-Net of diffusers with the frames as channels: the backbone for CPUs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from vidplan_core.errors import ModelError
from vidplan_core.models.fields import require_ranges
from vidplan_core.models.torchvision_shim import ensure_torchvision
from vidplan_core.world_model.backbones.attention import SelfAttention
from vidplan_core.world_model.backbones.interface import (
    Backbone,
    BackboneConfig,
    ClipFormat,
    Condition,
)
from vidplan_core.world_model.backbones.target_embedding import make_no_op
from vidplan_core.world_model.sampling.flow import noise_condition, raw_of_guess, spread
from vidplan_core.world_model.view_geometry import RAY_CHANNELS

# The sinusoids of diffusers are made for 0..1000; c_noise lies in [-1, 1.1], times in [0, 1].
NOISE_SCALE = 250.0
TIME_SCALE = 1000.0
# Typical error of the warped present as a prediction, in standard deviations of the data.
WARP_ERROR = 0.5
# Logit of the warped present's gate, nearly shut, in a model that was trained without cameras.
INITIAL_GATE = -3.0


@dataclass(frozen=True)
class UNet2DConfig(BackboneConfig):
    """Sizes of the 2-D U-Net.

    Attributes:
        layers_per_block: residual blocks per level.
        attention_head_dim: channels per attention head.
        position_channels: learned channels that encode places of the latent.
        token_dim: width in which an action is read.
        still_gate: whether it may say of each place and frame that nothing changes.
    """

    kind: str = field(default='unet2d', init=False)
    layers_per_block: int = 1
    attention_head_dim: int = 32
    position_channels: int = 8
    token_dim: int = 128
    still_gate: bool = False

    retired: ClassVar[frozenset[str]] = frozenset({
        'text_dim', 'frame_rate', 'motion_bucket', 'noise_augmentation', 'micro_dim',
        'present_scale', 'target_time', 'target_scale',
    })  # fmt: skip
    takes_cameras: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ranges(
            self, layers_per_block=(1, 16), attention_head_dim=(1, 1024),
            position_channels=(0, 1024), token_dim=(1, 16384),
        )  # fmt: skip


class UNet2D(Backbone):
    """All views are one picture, all frames are its channels, all actions one embedding."""

    def __init__(self, config: UNet2DConfig, clip: ClipFormat) -> None:
        super().__init__()
        ensure_torchvision()  # diffusers imports torchvision where it is installed
        from diffusers.models.embeddings import TimestepEmbedding, Timesteps

        self.sigmas = (clip.sigma_min, clip.sigma_max)
        self.still_gate, self.frames = config.still_gate, clip.frames
        self.residual_std = clip.residual_std
        self.knows_cameras = clip.cameras
        self.unet = _unet(config, clip)
        embedding = 4 * config.widths[0]
        frames = clip.history_frames - 1 + clip.frames
        self.token = nn.Sequential(
            nn.Linear(clip.features, config.token_dim), nn.SiLU(), nn.Linear(config.token_dim, 64)
        )
        self.mix = nn.Sequential(
            nn.SiLU(),
            nn.Linear(64 * frames, embedding),
            nn.SiLU(),
            nn.Linear(embedding, embedding),
        )
        self.target_features = Timesteps(64, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.target_embedding = TimestepEmbedding(64, embedding)
        make_no_op(self.target_embedding)
        self.position = nn.Parameter(
            0.1 * torch.randn(1, config.position_channels, clip.rows, clip.columns)
        )

    def forward(
        self, noisy: Tensor, condition: Condition, start: Tensor, target: Tensor
    ) -> Tensor:
        """See `Backbone`."""
        guess = self._guess(condition) if self.knows_cameras else None
        picture = self._picture(noisy, condition, guess)
        embedding = self._actions(condition) + self._gap(target - start, noisy.dtype)
        timestep = NOISE_SCALE * noise_condition(start, *self.sigmas)
        raw = self.unet(picture, timestep, class_labels=embedding, return_dict=False)[0]
        return self._gated(raw, noisy, guess, start)

    def _picture(self, noisy: Tensor, condition: Condition, guess: Tensor | None) -> Tensor:
        """All that the network sees, (batch, inputs, rows, columns)."""
        position = self.position.expand(len(noisy), -1, -1, -1)
        parts = [noisy.flatten(1, 2), condition.history.flatten(1, 2), position]
        if guess is not None:
            assert condition.rays is not None  # `_guess` asked
            rays = condition.rays * _kept(condition, condition.rays)
            parts += [rays.flatten(1, 2).to(noisy), guess.flatten(1, 2).to(noisy)]
        return torch.cat(parts, dim=1)

    def _guess(self, condition: Condition) -> Tensor:
        """The data if they were the warped present, shaped like the output."""
        if condition.warped is None or condition.rays is None:
            raise ModelError('this network takes cameras; the condition lacks its rays')
        present = condition.history[:, -1:]
        change = (condition.warped - present) * _kept(condition, present)
        return present + change if self.residual_std is None else change / self.residual_std

    def _gated(
        self, raw: Tensor, noisy: Tensor, guess: Tensor | None, start: Tensor
    ) -> Tensor:
        """The raw output: the network's own, and what it lets through of two simple guesses."""
        frames, channels = noisy.shape[1:3]
        output = raw[:, : frames * channels].reshape(noisy.shape)
        gates = raw[:, frames * channels :].sigmoid().split(frames, dim=1)
        if self.still_gate:
            output = output + gates[0][:, :, None] * self._unchanged(noisy, start)
        if guess is not None:
            follows = raw_of_guess(noisy, guess, start, WARP_ERROR)
            output = output + gates[-1][:, :, None] * follows
        return output

    def _unchanged(self, noisy: Tensor, start: Tensor) -> Tensor:
        """Raw output that means data of zero: residual data where nothing changes.

        There the noise must be copied through the network and amplified by s / (1 - s) = 1/sigma,
        which a few channels cannot do exactly; what they miss stays in the sample as noise. A
        gate needs to know only where nothing moves.
        """
        smallest, _ = self.sigmas
        gain = (start / (1.0 - start).clamp_min(1e-6)).clamp_max(1.0 / smallest)
        return noisy * spread(gain, noisy).to(noisy.dtype)

    @torch.no_grad()
    def restart_target(self, gap: float) -> None:
        """Fix what the target time adds at one gap as a constant, and reset its embedding.

        A network that was trained for one gap only becomes a denoiser, ready for a flow map.
        """
        added = self._gap(self.position.new_tensor([gap]), self.position.dtype)[0]
        last = self.mix[-1]
        assert isinstance(last, nn.Linear)
        last.bias.add_(added)
        make_no_op(self.target_embedding)

    def grown(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of a network that lacked gates or cameras, so that they still mean the same.

        At pure noise the gate for what is still has no effect; the one for the warped present
        begins nearly shut.
        """
        grown = dict(state)
        for name in ('unet.conv_in.weight', 'unet.conv_out.weight', 'unet.conv_out.bias'):
            wanted = torch.zeros_like(self.get_parameter(name))
            if name in grown and wanted.numel() > grown[name].numel():
                if name.endswith('bias') and self.knows_cameras:
                    wanted[-self.frames :] = INITIAL_GATE
                wanted[tuple(slice(size) for size in grown[name].shape)] = grown[name]
                grown[name] = wanted
        return grown

    def _actions(self, condition: Condition) -> Tensor:
        mixed: Tensor = self.mix(self.token(condition.actions).flatten(1))
        return mixed if condition.keep is None else mixed * condition.keep[:, None].to(mixed)

    def _gap(self, gap: Tensor, dtype: torch.dtype) -> Tensor:
        features = self.target_features(TIME_SCALE * gap).to(dtype)
        embedding: Tensor = self.target_embedding(features)
        return embedding


def _unet(config: UNet2DConfig, clip: ClipFormat) -> nn.Module:
    """Diffusers' network: frames, past and whatever the cameras add as channels."""
    from diffusers import UNet2DModel
    from diffusers.models.attention_processor import Attention

    geometry = RAY_CHANNELS + clip.channels if clip.cameras else 0
    gates = int(config.still_gate) + int(clip.cameras)
    inputs = (clip.frames + clip.history_frames) * clip.channels + config.position_channels
    last = len(config.widths) - 1
    unet = UNet2DModel(
        in_channels=inputs + clip.frames * geometry,
        out_channels=clip.frames * (clip.channels + gates),
        layers_per_block=config.layers_per_block,
        block_out_channels=config.widths,
        down_block_types=tuple(_block('Down', i > 0) for i in range(last + 1)),
        up_block_types=tuple(_block('Up', i < last) for i in range(last + 1)),
        attention_head_dim=config.attention_head_dim,
        norm_num_groups=16,
        resnet_time_scale_shift='scale_shift',
        class_embed_type='identity',
    )
    for part in unet.modules():
        if isinstance(part, Attention):
            part.set_processor(SelfAttention())
    made: nn.Module = unet
    return made


def _kept(condition: Condition, like: Tensor) -> Tensor | float:
    """1 for rows whose actions are given, 0 for the others, to multiply (batch, ...) with."""
    return 1.0 if condition.keep is None else spread(condition.keep, like).to(like)


def _block(direction: str, attention: bool) -> str:
    return f'{"Attn" if attention else ""}{direction}Block2D'
