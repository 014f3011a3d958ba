# SPDX-License-Identifier: Apache-2.0
"""One small U-Net, used twice: for the errors of imagined latents and for the value of frames.

Two levels down, attention over time and place in the bottleneck, two levels up (paper, appendix
A.6). All frames share the convolutions; what differs between them is the action.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidplan_core.errors import ModelError
from vidplan_core.heads.distribution.bins import Bins
from vidplan_core.heads.inputs import HeadInput, of_frames
from vidplan_core.models.fields import require_ranges
from vidplan_core.models.io import from_dict, load_weights, read_config, save_weights, to_dict
from vidplan_core.models.precision import fast_precision
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_core.world_model.sampling.flow import noise_condition

AnyHead = TypeVar('AnyHead', bound='Head')

GROUPS = 8
UNITS = ('value', 'frames')


def head_precision(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 on a GPU only.

    On CPUs a head gains nothing from it, and PyTorch's bfloat16 kernels there now and then
    return numbers that are not finite for pictures as small as a head's bottleneck.
    """
    return fast_precision(device) if device.type == 'cuda' else nullcontext()


@dataclass(frozen=True)
class HeadConfig:
    """Sizes of a head; the last of `widths` is the bottleneck's.

    `text` is the width of the instruction's embedding, 0 for a head that reads none; `maps` is
    how many pictures tell where the present shows what it names, `offsets` how many numbers tell
    where the tool is beside that.
    `patch` latent elements a side are one place of the highest level: 2 halves a CPU's time.
    `bins`, `bin_count` and `bin_high` are those of `Bins`. `gamma` is a value head's discount
    per frame, `unit` what its bins count: 'value', or 'frames' that are left to a success.
    `outcome` is how many numbers per frame of the world model's readout are read, `axes` how many
    tell how the hand is turned beside what is named. `relations` is the width of the network that
    a value head reads all those numbers with, 0 for none.
    """

    channels: int = 8
    frames: int = 4
    features: int = 17
    rows: int = 36
    columns: int = 20
    patch: int = 2
    widths: tuple[int, ...] = (48, 96, 128)
    embedding: int = 128
    attention_heads: int = 4
    text: int = 0
    maps: int = 0
    offsets: int = 0
    bins: str = 'uniform'
    bin_count: int = 30
    bin_high: float = 10.0
    gamma: float = 0.95
    text_probe: tuple[float, ...] = ()
    unit: str = 'value'
    outcome: int = 0
    axes: int = 0
    relations: int = 0

    def __post_init__(self) -> None:
        require_ranges(
            self, channels=(1, 1024), frames=(1, 1024), features=(0, 16384), rows=(1, 8192),
            columns=(1, 8192), widths=(1, 16384), embedding=(1, 16384), attention_heads=(1, 1024),
            text=(0, 16384), maps=(0, 64), offsets=(0, 1024), bin_count=(2, 4096),
            bin_high=(1e-6, 1e6), gamma=(0.0, 1.0), outcome=(0, 1024),
        )  # fmt: skip
        if len(self.widths) != 3 or any(width % GROUPS for width in self.widths):
            raise ModelError(f'a head has three widths, multiples of {GROUPS}: {self.widths}')
        if self.patch < 1 or self.rows % self.patch or self.columns % self.patch:
            raise ModelError(f'{self.rows}x{self.columns} latents have no patches of {self.patch}')
        if self.unit not in UNITS:
            raise ModelError(f"unit must be one of {UNITS}, not '{self.unit}'")
        if self.widths[-1] % self.attention_heads:
            raise ModelError(f'{self.widths[-1]} channels for {self.attention_heads} heads')

    @property
    def binning(self) -> Bins:
        """Bins of the predicted distribution."""
        return Bins(self.bins, self.bin_count, self.bin_high)

    def check_fits(self, config: WorldModelConfig, channels: int) -> None:
        """Raise ModelError when a world model imagines latents of another shape."""
        mine = (self.channels, self.frames, self.rows, self.columns)
        wanted = (channels, config.frames - 1, config.latent_height, config.latent_width)
        if mine != wanted:
            raise ModelError(
                f'a head for (channels, new frames, rows, columns) = {mine} does not fit a world '
                f'model that imagines {wanted}; train it with `vidplan-train uncertainty-head` '
                'or `vidplan-train value-head`'
            )


class FrameEmbedding(nn.Module):
    """One vector per new frame: its action, its number, the noise level, the instruction."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        width = config.embedding
        self.frame = nn.Parameter(0.02 * torch.randn(config.frames, width))
        self.offsets = config.offsets
        self.outcome = config.outcome
        known = config.features + 4 + config.offsets + config.outcome
        self.known = nn.Linear(known, width)
        self.text = nn.Linear(config.text, width) if config.text else None
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())

    def forward(self, inputs: HeadInput) -> Tensor:
        """(batch * frames, embedding)."""
        start, target = inputs.start.to(inputs.actions), inputs.target.to(inputs.actions)
        times = torch.stack([noise_condition(start), start, target, target - start], dim=-1)
        spread = times[:, None].expand(-1, inputs.actions.shape[1], -1)
        known = [inputs.actions, spread]
        if self.offsets:
            if inputs.offsets is None:
                raise ModelError('this head reads places and was given none')
            known.append(inputs.offsets.to(inputs.actions))
        if self.outcome:
            if inputs.outcome is None:
                raise ModelError('this head reads outcomes, which this world model does not say')
            known.append(inputs.outcome.to(inputs.actions))
        embedding = self.known(torch.cat(known, dim=-1)) + self.frame
        if self.text is not None:
            if inputs.text is None:
                raise ModelError('this head reads an instruction and was given none')
            embedding = embedding + self.text(inputs.text)[:, None]
        mixed: Tensor = self.mix(embedding)
        return mixed.flatten(0, 1)


class ConditionedBlock(nn.Module):
    """Two 3x3 convolutions around a skip; the embedding scales and shifts between them."""

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.GroupNorm(GROUPS, width)
        self.film = nn.Linear(embedding, 2 * width)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def change(self, x: Tensor, embedding: Tensor) -> Tensor:
        """What the block adds, of the shape of what it reads, (batch, width, rows, columns)."""
        scale, shift = self.film(embedding)[..., None, None].chunk(2, dim=1)
        inner = self.norm(self.first(x)) * (1.0 + scale) + shift
        found: Tensor = self.second(functional.silu(inner))
        return found

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Shape-preserving, (batch, width, rows, columns)."""
        return x + self.change(x, embedding)


class Attention(nn.Module):
    """Self-attention of the bottleneck over all frames and places, and a two-layer network."""

    def __init__(self, width: int, heads: int, frames: int) -> None:
        super().__init__()
        self.heads = heads
        self.time = nn.Parameter(0.02 * torch.randn(frames, 1, width))
        self.norm, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, frames, width, rows, columns), shape-preserving."""
        shape = x.shape
        tokens = (x.flatten(3).transpose(2, 3) + self.time).flatten(1, 2)
        split = self.qkv(self.norm(tokens)).unflatten(2, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.out(mixed.transpose(1, 2).flatten(2))
        tokens = tokens + self.mlp(self.after(tokens))
        return tokens.unflatten(1, (shape[1], -1)).transpose(2, 3).reshape(shape)


class HeadNetwork(nn.Module):
    """The U-Net: features of every patch of latent elements of every new frame."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self.config = config
        high, middle, low = config.widths
        inputs, embedding = 3 * config.channels + config.maps, config.embedding
        self.position = nn.Parameter(
            0.1 * torch.randn(1, high, config.rows // config.patch, config.columns // config.patch)
        )
        self.embedding = FrameEmbedding(config)
        self.stem = nn.Conv2d(inputs * config.patch**2, high, 3, padding=1)
        self.down_1 = nn.Conv2d(high, middle, 3, stride=2, padding=1)
        self.block_1 = ConditionedBlock(middle, embedding)
        self.down_2 = nn.Conv2d(middle, low, 3, stride=2, padding=1)
        self.block_2 = ConditionedBlock(low, embedding)
        self.attention = Attention(low, config.attention_heads, config.frames)
        self.up_1, self.up_2 = nn.Conv2d(low, middle, 1), nn.Conv2d(middle, high, 1)
        self.block_3 = ConditionedBlock(middle, embedding)
        self.block_4 = ConditionedBlock(high, embedding)
        self.norm = nn.GroupNorm(GROUPS, high)

    def forward(self, inputs: HeadInput, frames: Sequence[int] | None = None) -> Tensor:
        """Features (batch, frames, widths[0], rows / patch, columns / patch)."""
        return self.features(inputs, self.embedding(inputs), frames)

    def features(
        self, inputs: HeadInput, embedding: Tensor, frames: Sequence[int] | None = None
    ) -> Tensor:
        """`forward`, for frames that are embedded already, (batch * frames, embedding)."""
        count = inputs.predicted.shape[1]
        full = self.stem(self._picture(inputs)) + self.position
        half = self.block_1(self.down_1(full), embedding)
        low = self.block_2(self.down_2(half), embedding)
        low = self.attention(low.unflatten(0, (-1, count))).flatten(0, 1)
        # From here on no frame sees another: those that nobody asks about need not go on.
        parts = (full, half, low, embedding)
        full, half, low, embedding = (of_frames(part, count, frames) for part in parts)
        half = self.block_3(half + _resized(self.up_1(low), half), embedding)
        full = self.block_4(full + _resized(self.up_2(half), full), embedding)
        return functional.silu(self.norm(full)).unflatten(0, (len(inputs), -1))

    def _picture(self, inputs: HeadInput) -> Tensor:
        predicted = inputs.predicted
        wanted = (self.config.frames, self.config.channels, self.config.rows, self.config.columns)
        if tuple(predicted.shape[1:]) != wanted:
            raise ModelError(
                f'this head reads latents (batch, {", ".join(map(str, wanted))}), not '
                f'{tuple(predicted.shape)}'
            )
        present = inputs.present[:, None].expand_as(predicted)
        seen = [predicted, inputs.noisy, present]
        if self.config.maps:
            if inputs.maps is None:
                raise ModelError('this head reads maps of where things are; its input has none')
            seen.append(inputs.maps[:, None].expand(-1, predicted.shape[1], -1, -1, -1))
        stacked = torch.cat(seen, dim=2).flatten(0, 1)
        return functional.pixel_unshuffle(stacked, self.config.patch)


class Head(nn.Module):
    """A head: the U-Net, and what a subclass makes of its features."""

    # Whether the network may run in a GPU's fast precision.
    fast: bool = False

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self.config, self.bins = config, config.binning
        self.network = HeadNetwork(config)

    def _wide(self, function: Callable[[HeadInput], Tensor], inputs: HeadInput) -> Tensor:
        """What a function gives, in the precision of the latents, at least float32."""
        with head_precision(inputs.predicted.device) if self.fast else nullcontext():
            found = function(inputs)
        return found.to(torch.promote_types(inputs.predicted.dtype, torch.float32))


def save_head(folder: Path, head: Head) -> None:
    """Write `folder`/config.json and weights.safetensors."""
    save_weights(folder, to_dict(head.config), head.state_dict())


def load_head(kind: type[AnyHead], folder: Path, device: str | torch.device = 'cpu') -> AnyHead:
    """Head of a folder, frozen.

    Raises:
        ModelError: it is missing, corrupt, or its weights do not fit its description.
    """
    head = kind(from_dict(HeadConfig, read_config(folder)))
    load_weights(head, folder)
    head.fast = True
    return head.eval().requires_grad_(False).to(device)


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, size=like.shape[-2:], mode='nearest')
