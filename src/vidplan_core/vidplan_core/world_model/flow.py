# SPDX-License-Identifier: Apache-2.0
"""EDM preconditioning along the flow from noise (t = 0) to data (t = 1), in closed form.

x_t = t x1 + (1 - t) x0 and sigma = (1 - t)/t. With n = s^2 + (1 - s)^2 and F the raw output
of the network at the input x/sqrt(n), the EDM denoiser (Karras et al. 2022, sigma_data = 1)
gives the velocity v = ((2s - 1) x - sqrt(n) F) / n, without a division by s, 1 - s or sigma:
both ends are finite in every precision (DESIGN section 4).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

SIGMA_MAX = 80.0
SIGMA_MIN = 0.02

RawNetwork = Callable[[Tensor, Tensor, Tensor], Tensor]


def noise_condition(time: Tensor) -> Tensor:
    """c_noise = ln(sigma)/4 of flow times (batch,), sigma kept within [0.02, 80]."""
    sigma = (1.0 - time) / time.clamp_min(1e-6)
    return sigma.clamp(SIGMA_MIN, SIGMA_MAX).log() / 4.0


def _spread(time: Tensor, like: Tensor) -> Tensor:
    return time.to(like.dtype).reshape(-1, *[1] * (like.ndim - 1))


def velocity(network: RawNetwork, x: Tensor, start: Tensor, target: Tensor) -> Tensor:
    """Flow-map velocity v_{s,t} at x (batch, ...), flow times `start`, `target` (batch,)."""
    s = _spread(start, x)
    norm = s**2 + (1.0 - s) ** 2
    raw = network(x / norm.sqrt(), start, target)
    return ((2.0 * s - 1.0) * x - norm.sqrt() * raw) / norm


def denoised(x: Tensor, raw: Tensor, start: Tensor) -> Tensor:
    """Data estimate x + (1 - s) v of the denoiser, with `raw` the network's output at x."""
    s = _spread(start, x)
    norm = s**2 + (1.0 - s) ** 2
    return x + (1.0 - s) * ((2.0 * s - 1.0) * x - norm.sqrt() * raw) / norm


def sample(network: RawNetwork, noise: Tensor, steps: int) -> Tensor:
    """Integrate from noise (batch, ...) to data in `steps` equal steps of flow time.

    An equal grid in t, not Karras' grid in sigma: the latter's second step of two starts at
    sigma_min and adds nothing.
    """
    if steps < 1:
        raise ValueError(f'steps must be at least 1, not {steps}')
    x = noise
    grid = torch.linspace(0.0, 1.0, steps + 1, device=noise.device)
    for step in range(steps):
        start = grid[step].expand(len(x))
        target = grid[step + 1].expand(len(x))
        x = x + (grid[step + 1] - grid[step]) * velocity(network, x, start, target)
    return x
