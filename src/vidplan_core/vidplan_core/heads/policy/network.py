# SPDX-License-Identifier: Apache-2.0
"""A small network that draws chunks by flow matching, conditioned on what is seen.

The chunk is five numbers, because every planned chunk follows the same time law: displacement
and turn of the tool, and what the gripper is commanded. Flow matching as in Lipman et al. 2023,
"Flow Matching for Generative Modeling": x_t = (1 - t) noise + t data, velocity data - noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidplan_core.errors import ModelError
from vidplan_core.heads.network import GROUPS, ConditionedBlock
from vidplan_core.heads.policy.inputs import BESIDE, BODY, PolicyInput
from vidplan_core.models.fields import require_ranges

NUMBERS = 5  # x, y, z, turn about the vertical, closedness
POSITION_CHANNELS = 4


@dataclass(frozen=True)
class PolicyConfig:
    """Sizes of a policy.

    Attributes:
        channels, rows, columns: of a latent; views lie one below the other along the rows.
        views: how many.
        text: width of the instruction's embedding.
        grounded: whether maps and places of target and destination are read, or words only.
        patch: latent elements a side that are one place of the network.
        width: of its features; embedding: of the vector that chunks are drawn from.
        pools: places of each view that are looked at.
        scale: of displacement (m, three numbers), turn (rad) and closedness, so that all have
            about unit size.
        text_probe: of the scorer that it was trained with.
    """

    channels: int = 8
    rows: int = 36
    columns: int = 20
    views: int = 3
    text: int = 259
    grounded: bool = True
    patch: int = 2
    width: int = 80
    embedding: int = 256
    pools: int = 8
    scale: tuple[float, ...] = (0.06, 0.06, 0.06, 0.4, 0.5)
    text_probe: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        require_ranges(
            self, channels=(1, 1024), rows=(1, 8192), columns=(1, 8192), views=(1, 64),
            text=(0, 16384), width=(1, 16384), embedding=(1, 16384), pools=(1, 1024),
        )  # fmt: skip
        if len(self.scale) != NUMBERS or min(self.scale) <= 0.0:
            raise ModelError(f'scale needs {NUMBERS} positive numbers, got {self.scale}')
        sizes = (self.rows // max(self.views, 1), self.columns)
        if self.patch < 1 or any(size % self.patch for size in sizes):
            raise ModelError(f'views of {sizes} latents have no patches of {self.patch}')
        if self.width % GROUPS:
            raise ModelError(f'width must be a multiple of {GROUPS}, got {self.width}')


class ChunkPolicy(nn.Module):
    """Draws chunks of five numbers, (batch, samples, NUMBERS), in m, rad and closedness."""

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        self.config = config
        width, embedding, patch = config.width, config.embedding, config.patch
        rows, columns = config.rows // patch, config.columns // patch
        inputs = config.channels + (2 if config.grounded else 0)
        known = BODY + config.text + (BESIDE if config.grounded else 0)
        self.known = nn.Sequential(
            nn.Linear(known, embedding), nn.SiLU(), nn.Linear(embedding, embedding), nn.SiLU()
        )
        self.position = nn.Parameter(0.1 * torch.randn(1, width, rows, columns))
        self.stem = nn.Conv2d(inputs * patch**2, width, 3, padding=1)
        self.blocks = nn.ModuleList(ConditionedBlock(width, embedding) for _ in range(2))
        self.norm = nn.GroupNorm(GROUPS, width)
        self.where = nn.Conv2d(width, config.pools, 1)
        self.what = nn.Conv2d(width, 24, 1)
        looked = config.views * config.pools * (24 + 2) + width
        self.mix = nn.Sequential(
            nn.Linear(looked + embedding, 2 * embedding),
            nn.SiLU(),
            nn.Linear(2 * embedding, embedding),
            nn.SiLU(),
        )
        self.draw = nn.Sequential(
            nn.Linear(embedding + NUMBERS + 3, embedding),
            nn.SiLU(),
            nn.Linear(embedding, embedding),
            nn.SiLU(),
            nn.Linear(embedding, NUMBERS),
        )
        self.scale: Tensor
        self.register_buffer('scale', torch.tensor(config.scale), persistent=False)

    def embed(self, inputs: PolicyInput) -> Tensor:
        """What chunks are drawn from, (batch, embedding)."""
        picture, known = [inputs.latents], [inputs.body, inputs.text]
        if self.config.grounded:
            if inputs.maps is None or inputs.beside is None:
                raise ModelError('this policy reads where things are and was not given it')
            picture.append(inputs.maps)
            known.append(inputs.beside)
        embedding = self.known(torch.cat([part.float() for part in known], -1))
        stacked = torch.cat([part.float() for part in picture], 1)
        x = self.stem(functional.pixel_unshuffle(stacked, self.config.patch)) + self.position
        for block in self.blocks:
            assert isinstance(block, ConditionedBlock)
            x = x + block.change(functional.silu(x), embedding)
        looked = self._looked(functional.silu(self.norm(x)))
        found: Tensor = self.mix(torch.cat([looked, embedding], 1))
        return found

    def _looked(self, x: Tensor) -> Tensor:
        """Features and places of where each view is looked at, and the mean of all."""
        views = self.config.views
        split = x.unflatten(2, (views, -1)).transpose(1, 2).flatten(0, 1)
        weights = self.where(split).flatten(2).softmax(-1)
        rows, columns = (torch.linspace(-1, 1, n, device=x.device) for n in split.shape[-2:])
        grid = torch.stack(torch.meshgrid(rows, columns, indexing='ij')).flatten(1)
        seen = torch.cat([self.what(split).flatten(2), grid.expand(len(split), -1, -1)], 1)
        pooled = torch.einsum('bpn,bcn->bpc', weights, seen).flatten(1)
        return torch.cat([pooled.unflatten(0, (-1, views)).flatten(1), x.mean((2, 3))], 1)

    def velocity(self, embedding: Tensor, x: Tensor, time: Tensor) -> Tensor:
        """Of the flow at points x (batch, samples, NUMBERS) and times (batch, samples)."""
        spread = embedding[:, None].expand(-1, x.shape[1], -1)
        times = torch.stack([time, (torch.pi * time).cos(), (2 * torch.pi * time).cos()], -1)
        found: Tensor = self.draw(torch.cat([spread, x, times], -1))
        return found

    def sample(self, inputs: PolicyInput, samples: int, seed: int, steps: int = 8) -> Tensor:
        """Chunks (batch, samples, NUMBERS) in m, rad and closedness; the same for a seed."""
        embedding = self.embed(inputs)
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(1, samples, NUMBERS, generator=generator).to(embedding)
        x = noise.expand(len(embedding), -1, -1)
        for step in range(steps):
            time = x.new_full(x.shape[:2], step / steps)
            x = x + self.velocity(embedding, x, time) / steps
        return self.denormalised(x)

    def normalised(self, numbers: Tensor) -> Tensor:
        """Chunks (..., NUMBERS) as the flow has them."""
        return self._centred(numbers, -0.5) / self.scale

    def denormalised(self, x: Tensor) -> Tensor:
        """Chunks (..., NUMBERS) in m, rad and closedness."""
        return self._centred(x * self.scale, 0.5)

    def _centred(self, numbers: Tensor, by: float) -> Tensor:
        return torch.cat([numbers[..., :-1], numbers[..., -1:] + by], -1)


def flow_loss(policy: ChunkPolicy, inputs: PolicyInput, chunks: Tensor, draws: int = 8) -> Tensor:
    """Mean squared error of the velocity, over several noises and times for each moment.

    Args:
        policy: the network.
        inputs: a batch of moments.
        chunks: what an expert chose there, (batch, NUMBERS).
    """
    embedding = policy.embed(inputs)
    data = policy.normalised(chunks)[:, None].expand(-1, draws, -1)
    noise = torch.randn_like(data)
    time = torch.rand(data.shape[:2], device=data.device)
    x = torch.lerp(noise, data, time[..., None])
    return (policy.velocity(embedding, x, time) - (data - noise)).square().mean()
