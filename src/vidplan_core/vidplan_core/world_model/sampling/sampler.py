# SPDX-License-Identifier: Apache-2.0
"""From noise to data: the many-step EDM sampler and the flow map, one loop with two grids.

Euler steps of the denoiser are the same straight moves towards the data estimate in flow time
and in Karras' sigma, so the EDM sampler is the flow solver on another grid of times whose
every step asks for the denoiser (target time = start time).
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from vidplan_core.errors import ConfigError
from vidplan_core.world_model import GRADIENTS, SAMPLER_KINDS
from vidplan_core.world_model.sampling.flow import (
    SIGMA_MAX,
    SIGMA_MIN,
    RawNetwork,
    moved,
    scaled_input,
    velocity_of,
)

KARRAS_RHO = 7.0  # Karras et al. 2022, eq. 5


@dataclass(frozen=True)
class SamplingConfig:
    """How an imagination is sampled.

    steps: network evaluations (twice as many with guidance).
    kind: 'flow_map' jumps on an equal grid of flow time; 'flow_map_clamped' on the same between
        the noise levels of training, as flow maps are published: several steps then leave the
        least noise in; 'edm' denoises on Karras' grid.
    guidance_first, guidance_last: classifier-free guidance of the first and the last frame,
        linear between them; 1 and 1 need no unconditional pass and make none.
    gradient: 'full' differentiates the whole chain; 'last' only the last evaluation, with
        everything before it a constant.
    checkpointing: recompute each evaluation's activations in the backward pass.
    temperature: size of the first noise. 1 samples what was learned; less draws samples from
        nearer its middle, as for other flows: less varied, and with fewer of the flaws that a
        small network's samples have. A single `edm` step hardly sees it.
    """

    steps: int = 1
    kind: str = 'flow_map'
    guidance_first: float = 1.0
    guidance_last: float = 1.0
    gradient: str = 'full'
    checkpointing: bool = False
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f'steps must be at least 1, not {self.steps}')
        if self.kind not in SAMPLER_KINDS:
            raise ConfigError(f"kind must be one of {SAMPLER_KINDS}, not '{self.kind}'")
        if self.gradient not in GRADIENTS:
            raise ConfigError(f"gradient must be one of {GRADIENTS}, not '{self.gradient}'")
        for name in ('guidance_first', 'guidance_last', 'temperature'):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ConfigError(f'{name} must be finite and not negative')

    @property
    def guided(self) -> bool:
        """Whether an unconditional pass is needed."""
        return not self.guidance_first == self.guidance_last == 1.0

    def guidance(self, frames: int) -> Tensor:
        """Guidance per frame, (frames,)."""
        return torch.linspace(self.guidance_first, self.guidance_last, frames)

    def grid(self, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX) -> Tensor:
        """Flow times (steps + 1,) that the sampler passes, the last exactly 1."""
        if self.kind == 'edm':
            return karras_grid(self.steps, sigma_min, sigma_max)
        grid = equal_grid(self.steps)
        return grid if self.kind == 'flow_map' else clamped_grid(grid, sigma_min, sigma_max)


# The released Ctrl-World rollouts: 50 steps, guidance rising from 1 to 2 over the frames.
CTRL_WORLD_SAMPLING = SamplingConfig(50, 'edm', guidance_first=1.0, guidance_last=2.0)

# Those of its published flow map: 4 jumps, the same guidance.
FLOW_MAP_SAMPLING = SamplingConfig(4, 'flow_map_clamped', guidance_first=1.0, guidance_last=2.0)


# One EDM step from the highest noise level is the denoiser there: the mean of all futures.
MEAN = SamplingConfig(1, 'edm')


@dataclass(frozen=True)
class NetworkEvaluation:
    """One evaluation of the network, as uncertainty and value heads look at it.

    noisy: scaled input, (batch, frames, channels, height, width).
    start, target: flow times, (batch,).
    """

    noisy: Tensor
    start: Tensor
    target: Tensor


def equal_grid(steps: int) -> Tensor:
    """Equal steps of flow time from 0 to 1, (steps + 1,) float64.

    Karras' grid has no use for few steps: its second of two starts at sigma_min.
    """
    return torch.linspace(0.0, 1.0, steps + 1, dtype=torch.float64)


def clamped_grid(grid: Tensor, sigma_min: float, sigma_max: float) -> Tensor:
    """Flow times kept between those of the noise levels; a single jump goes to the data."""
    clamped = grid.clamp(1.0 / (1.0 + sigma_max), 1.0 / (1.0 + sigma_min))
    if len(grid) == 2:
        clamped[-1] = 1.0
    return clamped


def karras_grid(steps: int, sigma_min: float, sigma_max: float) -> Tensor:
    """Flow times 1/(1 + sigma) of Karras' noise levels and of no noise, (steps + 1,) float64."""
    ramp = torch.linspace(0.0, 1.0, steps, dtype=torch.float64)
    highest, lowest = sigma_max ** (1.0 / KARRAS_RHO), sigma_min ** (1.0 / KARRAS_RHO)
    sigma = (highest + ramp * (lowest - highest)) ** KARRAS_RHO
    return torch.cat([1.0 / (1.0 + sigma), ramp.new_ones(1)])


def guided_network(
    conditional: RawNetwork, unconditional: RawNetwork, guidance: Tensor
) -> RawNetwork:
    """Classifier-free guidance per frame, (frames,), on outputs (batch, frames, ...).

    Mixing raw outputs mixes denoised data and velocities alike: both are affine in them.
    """

    def network(noisy: Tensor, start: Tensor, target: Tensor) -> Tensor:
        without = unconditional(noisy, start, target)
        weight = guidance.to(without).reshape(1, -1, *[1] * (without.ndim - 2))
        return without + weight * (conditional(noisy, start, target) - without)

    return network


def integrate(
    network: RawNetwork, noise: Tensor, sampling: SamplingConfig, grid: Tensor | None = None
) -> tuple[Tensor, NetworkEvaluation]:
    """Carry noise (batch, ...) along a grid of flow times to data.

    The state is kept in at least float32; deterministic, without noise added on the way.

    Returns:
        The data, shaped like `noise`, and the last evaluation of the network.
    """
    times = (sampling.grid() if grid is None else grid).tolist()
    wide = torch.promote_types(noise.dtype, torch.float32)
    x = noise.to(wide) * (sampling.temperature * _first_size(sampling, times[0]))
    for step, (now, then) in enumerate(zip(times[:-1], times[1:])):
        with _gradient(sampling, last=step == len(times) - 2):
            start = x.new_full((len(x),), now)
            target = x.new_full((len(x),), then)
            aim = start if sampling.kind == 'edm' else target
            seen = NetworkEvaluation(scaled_input(x, start).to(noise), start, aim)
            raw = _evaluate(network, seen, sampling.checkpointing)
            x = moved(x, velocity_of(x, raw.to(wide), start), start, target)
    return x.to(noise), seen


def _first_size(sampling: SamplingConfig, start: float) -> float:
    """Size of the first noise: what the network then sees is the noise itself, as in SVD.

    Published flow maps take the noise as if it were x at the first time of their grid.
    """
    return 1.0 if sampling.kind == 'flow_map_clamped' else math.hypot(start, 1.0 - start)


def _gradient(sampling: SamplingConfig, last: bool) -> AbstractContextManager[object]:
    return nullcontext() if last or sampling.gradient == 'full' else torch.no_grad()


def _evaluate(network: RawNetwork, seen: NetworkEvaluation, checkpointing: bool) -> Tensor:
    if not (checkpointing and torch.is_grad_enabled()):
        return network(seen.noisy, seen.start, seen.target)
    raw: Tensor = checkpoint(network, seen.noisy, seen.start, seen.target, use_reentrant=False)
    return raw
