# SPDX-License-Identifier: Apache-2.0
"""Ctrl-World's backbone: Stable Video Diffusion's U-Net, unmodified, with one token per frame.

The modules are those of diffusers' `UNetSpatioTemporalConditionModel`, so that released weights
fit key for key. Only the way through them is ours: diffusers gives every frame the same token,
Ctrl-World gives each frame its own (the pose that the robot has in it, plus the instruction).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from vidplan_core.errors import ModelError
from vidplan_core.models.fields import require_ranges
from vidplan_core.models.torchvision_shim import ensure_torchvision
from vidplan_core.world_model.backbones.interface import (
    Backbone,
    BackboneConfig,
    ClipFormat,
    Condition,
)
from vidplan_core.world_model.backbones.target_embedding import make_no_op
from vidplan_core.world_model.sampling.flow import noise_condition

if TYPE_CHECKING:
    from diffusers import UNetSpatioTemporalConditionModel


@dataclass(frozen=True)
class SvdConfig(BackboneConfig):
    """Sizes of Stable Video Diffusion's network, and the numbers that it is conditioned on.

    Attributes:
        layers_per_block: residual blocks per level.
        attention_head_dim: channels per attention head.
        token_dim: width of the tokens, one per frame.
        text_dim: length of the instruction's embedding; 0 for a network that reads none. It
            must divide `token_dim`.
        frame_rate, motion_bucket, noise_augmentation: the three numbers by which SVD is
            conditioned on the kind of clip; no noise is added for the last one.
        micro_dim: sinusoids per such number.
        present_scale: of the present latent in the condition channels.
        target_time: whether the network is conditioned on the time that a step aims at.
        target_scale: of that time before its sinusoids, which are made for 0 .. 1000.
    """

    kind: str = field(default='svd', init=False)
    layers_per_block: int = 1
    attention_head_dim: int = 32
    token_dim: int = 128
    text_dim: int = 0
    frame_rate: float = 7.0
    motion_bucket: float = 127.0
    noise_augmentation: float = 0.0
    micro_dim: int = 256
    present_scale: float = 1.0
    target_time: bool = True
    target_scale: float = 1000.0

    retired: ClassVar[frozenset[str]] = frozenset({'position_channels', 'still_gate'})
    own_precision: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ranges(self, layers_per_block=(1, 16), attention_head_dim=(1, 1024))
        if any(width % 32 or width % self.attention_head_dim for width in self.widths):
            raise ModelError(
                f'widths {self.widths} must be multiples of 32 (groups of the normalisation) and '
                f'of attention_head_dim {self.attention_head_dim}'
            )
        if self.text_dim and self.token_dim % self.text_dim:
            raise ModelError(f'text_dim {self.text_dim} must divide token_dim {self.token_dim}')

    @property
    def reads_text(self) -> bool:
        """Whether the network reads the instruction."""
        return self.text_dim > 0

    @property
    def reads_target_time(self) -> bool:
        """Whether it is conditioned on the time that a step aims at, as flow maps are."""
        return self.target_time


class ActionEncoder(nn.Module):
    """Pose features of each frame to that frame's token; named as in the released weights."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        first, second = nn.Linear(features, width), nn.Linear(width, width)
        for layer in (first, second):
            nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')
        self.action_encode = nn.Sequential(
            first, nn.SiLU(), second, nn.SiLU(), nn.Linear(width, width)
        )

    def forward(self, actions: Tensor) -> Tensor:
        """Tokens (batch, frames, width) of features (batch, frames, features)."""
        # In bfloat16 a pose in the workspace would be rounded to about a millimetre.
        with _exact(actions.device):
            tokens: Tensor = self.action_encode(actions.to(next(self.parameters()).dtype))
        return tokens


class SvdBackbone(Backbone):
    """History, noisy frames and the present as channels; actions and text as tokens."""

    facts: Tensor

    def __init__(self, config: SvdConfig, clip: ClipFormat) -> None:
        super().__init__()
        self.config, self.sigmas = config, (clip.sigma_min, clip.sigma_max)
        self.unet = build_unet(config, clip.channels)
        self.unet.set_attn_processor(_processors(self.unet))
        self.action_encoder = ActionEncoder(clip.features, config.token_dim)
        facts = (config.frame_rate, config.motion_bucket, config.noise_augmentation)
        self.register_buffer('facts', torch.tensor(facts, device='cpu'), persistent=False)
        if config.target_time:
            from diffusers.models.embeddings import TimestepEmbedding, Timesteps

            width = config.widths[0]
            self.target_features = Timesteps(width, True, downscale_freq_shift=0)
            self.target_embedding = TimestepEmbedding(width, 4 * width)
            make_no_op(self.target_embedding)

    def forward(
        self, noisy: Tensor, condition: Condition, start: Tensor, target: Tensor
    ) -> Tensor:
        """See `Backbone`."""
        past, present = condition.history[:, :-1], condition.history[:, -1:]
        frames = torch.cat([past, noisy], dim=1)
        still = (self.config.present_scale * present).expand_as(frames)
        dtype = self.unet.conv_in.weight.dtype
        sample = torch.cat([frames, still], dim=2).to(dtype)
        embedding = self._embedding(start, target, dtype)
        raw = self._through(sample, embedding, self.tokens(condition).to(dtype))
        return raw[:, past.shape[1] :].to(noisy.dtype)

    def tokens(self, condition: Condition) -> Tensor:
        """One token per frame (batch, history - 1 + frames, token_dim); zero where dropped."""
        tokens: Tensor = self.action_encoder(condition.actions)
        if condition.text is not None and self.config.text_dim:
            copies = self.config.token_dim // self.config.text_dim
            tokens = tokens + condition.text.to(tokens).repeat(1, copies)[:, None]
        if condition.keep is None:
            return tokens
        return tokens * condition.keep[:, None, None].to(tokens)

    @torch.no_grad()
    def restart_target(self, gap: float) -> None:
        """Fix what the target time adds at one gap as a constant, and reset its embedding.

        A network that was trained for one gap only becomes a denoiser, ready for a flow map.
        """
        bias = self.unet.add_embedding.linear_2.bias
        # Both are summed into the same embedding.
        bias.add_(self._gap(bias.new_full((1,), gap, dtype=torch.float32), bias.dtype)[0])
        make_no_op(self.target_embedding)

    def _embedding(self, start: Tensor, target: Tensor, dtype: torch.dtype) -> Tensor:
        """Embedding (batch, width) for every frame: noise level, the clip's numbers, the gap."""
        unet = self.unet
        level = unet.time_proj(noise_condition(start, *self.sigmas)).to(dtype)
        micro = unet.add_time_proj(self.facts).flatten()[None].to(dtype)
        embedding: Tensor = unet.time_embedding(level) + unet.add_embedding(micro)
        if self.config.target_time:
            embedding = embedding + self._gap(target - start, dtype)
        return embedding

    def _gap(self, gap: Tensor, dtype: torch.dtype) -> Tensor:
        features = self.target_features(self.config.target_scale * gap)
        own = self.target_embedding.linear_1.weight.dtype
        embedding: Tensor = self.target_embedding(features.to(own))
        return embedding.to(dtype)

    def _through(self, sample: Tensor, embedding: Tensor, tokens: Tensor) -> Tensor:
        """The U-Net's own blocks over (batch, frames, channels, rows, columns)."""
        unet, (batch, frames) = self.unet, sample.shape[:2]
        common: dict[str, Any] = {
            'temb': embedding.repeat_interleave(frames, dim=0),
            'image_only_indicator': sample.new_zeros(batch, frames),
        }
        crossed = {**common, 'encoder_hidden_states': tokens.flatten(0, 1)[:, None]}
        hidden = unet.conv_in(sample.flatten(0, 1))
        skips = [hidden]
        for block in unet.down_blocks:
            hidden, outputs = block(hidden, **(crossed if _crosses(block) else common))
            skips += outputs
        hidden = unet.mid_block(hidden, **crossed)
        for block in unet.up_blocks:
            taken = tuple(skips[-len(block.resnets) :])
            del skips[-len(block.resnets) :]
            hidden = block(
                hidden,
                res_hidden_states_tuple=taken,
                # Odd sizes on the way down must be restored on the way up.
                upsample_size=skips[-1].shape[2:] if skips else None,
                **(crossed if _crosses(block) else common),
            )
        raw: Tensor = unet.conv_out(unet.conv_act(unet.conv_norm_out(hidden)))
        return raw.unflatten(0, (batch, frames))


class OneToken:
    """Attention to a single token is its value, for every query: nothing else is computed.

    Only while the layer is frozen. In training the queries and keys, though they cannot
    learn, must take part: processes that share gradients wait for those of every weight.
    """

    def __init__(self) -> None:
        from diffusers.models.attention_processor import AttnProcessor2_0

        self._general = AttnProcessor2_0()

    def __call__(
        self, attn: Any, hidden_states: Tensor, encoder_hidden_states: Tensor, **others: Any
    ) -> Tensor:
        """Shape-preserving (batch, places, width), of tokens (batch, 1, token_dim)."""
        if encoder_hidden_states.shape[1] != 1 or attn.to_q.weight.requires_grad:
            return self._general(attn, hidden_states, encoder_hidden_states, **others)
        value: Tensor = attn.to_out[0](attn.to_v(encoder_hidden_states))
        return value.expand_as(hidden_states)


def build_unet(config: SvdConfig, channels: int) -> UNetSpatioTemporalConditionModel:
    """Diffusers' network of a size; Ctrl-World's is its default configuration."""
    ensure_torchvision()  # diffusers imports torchvision where it is installed
    from diffusers import UNetSpatioTemporalConditionModel

    last = len(config.widths) - 1
    return UNetSpatioTemporalConditionModel(
        in_channels=2 * channels,
        out_channels=channels,
        down_block_types=tuple(_block('Down', level < last) for level in range(last + 1)),
        up_block_types=tuple(_block('Up', level > 0) for level in range(last + 1)),
        block_out_channels=config.widths,
        addition_time_embed_dim=config.micro_dim,
        projection_class_embeddings_input_dim=3 * config.micro_dim,
        layers_per_block=config.layers_per_block,
        cross_attention_dim=config.token_dim,
        num_attention_heads=tuple(width // config.attention_head_dim for width in config.widths),
    )


def _block(direction: str, crosses: bool) -> str:
    return f'{"CrossAttn" if crosses else ""}{direction}BlockSpatioTemporal'


def _crosses(block: nn.Module) -> bool:
    return bool(getattr(block, 'has_cross_attention', False))


def _processors(unet: UNetSpatioTemporalConditionModel) -> dict[str, Any]:
    """Attention as it is, but in the layers that look at tokens."""
    return {
        name: OneToken() if name.endswith('attn2.processor') else processor
        for name, processor in unet.attn_processors.items()
    }


def _exact(device: torch.device) -> AbstractContextManager[object]:
    """No autocast; on devices that know none (meta) nothing."""
    if device.type not in ('cpu', 'cuda'):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
