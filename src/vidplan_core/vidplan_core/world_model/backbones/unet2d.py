# SPDX-License-Identifier: Apache-2.0
"""A 2-D U-Net of diffusers with the frames as channels: the backbone for CPUs."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vidplan_core.errors import ModelError
from vidplan_core.models.torchvision_shim import ensure_torchvision
from vidplan_core.world_model.backbones.interface import Condition, make_no_op
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_core.world_model.flow import noise_condition, raw_of_guess, spread
from vidplan_core.world_model.view_geometry import RAY_CHANNELS

ensure_torchvision()  # diffusers imports torchvision where it is installed

from diffusers import UNet2DModel  # noqa: E402
from diffusers.models.embeddings import TimestepEmbedding, Timesteps  # noqa: E402

# The sinusoids of diffusers are made for 0..1000; c_noise lies in [-1, 1.1], times in [0, 1].
NOISE_SCALE = 250.0
TIME_SCALE = 1000.0
# How far data typically are from what was carried along, in units of their deviation.
CARRIED_ERROR = 0.5
# A model that was trained without cameras first hardly believes what is carried along.
FIRST_BELIEF = -3.0


class UNet2D(nn.Module):
    """All views are one picture, all frames are its channels, all actions one embedding."""

    def __init__(self, config: WorldModelConfig, channels: int, features: int) -> None:
        super().__init__()
        sizes = config.backbone
        self.sigmas = (config.sigma_min, config.sigma_max)
        self.still_gate, self.frames = sizes.still_gate, config.frames
        self.residual, self.residual_std = config.residual, config.residual_std
        self.knows_cameras = bool(config.cameras)
        told = RAY_CHANNELS + channels if self.knows_cameras else 0
        gates = int(sizes.still_gate) + int(self.knows_cameras)
        inputs = (config.frames + config.history_frames) * channels + sizes.position_channels
        last = len(sizes.widths) - 1
        self.unet = UNet2DModel(
            in_channels=inputs + config.frames * told,
            out_channels=config.frames * (channels + gates),
            layers_per_block=sizes.layers_per_block,
            block_out_channels=sizes.widths,
            down_block_types=tuple(_block('Down', i > 0) for i in range(last + 1)),
            up_block_types=tuple(_block('Up', i < last) for i in range(last + 1)),
            attention_head_dim=sizes.attention_head_dim,
            norm_num_groups=16,
            resnet_time_scale_shift='scale_shift',
            class_embed_type='identity',
        )
        embedding = 4 * sizes.widths[0]
        frames = config.history_frames - 1 + config.frames
        self.token = nn.Sequential(
            nn.Linear(features, sizes.token_dim), nn.SiLU(), nn.Linear(sizes.token_dim, 64)
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
            0.1
            * torch.randn(1, sizes.position_channels, config.latent_height, config.latent_width)
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
        """The data if all moved along (see `view_geometry.carried`), shaped like the output."""
        if condition.carried is None or condition.rays is None:
            raise ModelError('this network knows its cameras and was not told of the views')
        present = condition.history[:, -1:]
        change = (condition.carried - present) * _kept(condition, present)
        return change / self.residual_std if self.residual else present + change

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
            follows = raw_of_guess(noisy, guess, start, CARRIED_ERROR)
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
        """Make what the target time adds at a gap part of every prediction, and unlearn the rest.

        A network that was trained for one gap only becomes a denoiser, ready for a flow map.
        """
        added = self._gap(self.position.new_tensor([gap]), self.position.dtype)[0]
        last = self.mix[-1]
        assert isinstance(last, nn.Linear)
        last.bias.add_(added)
        make_no_op(self.target_embedding)

    def grown(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of a network that lacked gates or cameras, so that they still mean the same.

        At pure noise the gate for what is still has no effect; the one for what moves along
        begins nearly shut.
        """
        grown = dict(state)
        for name in ('unet.conv_in.weight', 'unet.conv_out.weight', 'unet.conv_out.bias'):
            wanted = torch.zeros_like(self.get_parameter(name))
            if name in grown and wanted.numel() > grown[name].numel():
                if name.endswith('bias') and self.knows_cameras:
                    wanted[-self.frames :] = FIRST_BELIEF
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


def _kept(condition: Condition, like: Tensor) -> Tensor | float:
    """1 for rows whose actions are told, 0 for the others, to multiply (batch, ...) with."""
    return 1.0 if condition.keep is None else spread(condition.keep, like).to(like)


def _block(direction: str, attention: bool) -> str:
    return f'{"Attn" if attention else ""}{direction}Block2D'
