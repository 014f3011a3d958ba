# SPDX-License-Identifier: Apache-2.0
"""The flow between unit Gaussian noise and Gaussian data, exactly."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidplan_core.world_model.sampling.flow import raw_target, spread, squared_norm


@dataclass(frozen=True)
class GaussianFlow:
    """Data x1 = mean + std e, noise x0 = e', both per element; x_t = t x1 + (1 - t) x0.

    The marginal of x_t is normal with mean t m and variance t^2 c^2 + (1 - t)^2, and the flow
    keeps standard scores: X_{s,t}(x) = t m + (x - s m) sqrt(var_t / var_s).
    """

    mean: float = 0.7
    std: float = 0.4

    def variance(self, time: Tensor) -> Tensor:
        return (time * self.std) ** 2 + (1 - time) ** 2

    def jump(self, x: Tensor, start: Tensor, target: Tensor) -> Tensor:
        s, t = spread(start, x), spread(target, x)
        score = (x - s * self.mean) / self.variance(s).sqrt()
        return t * self.mean + score * self.variance(t).sqrt()

    def slope(self, x: Tensor, time: Tensor) -> Tensor:
        """v_{t,t} = d/dt of the flow."""
        t = spread(time, x)
        rate = (t * self.std**2 - (1 - t)) / self.variance(t)
        return self.mean + rate * (x - t * self.mean)

    def velocity(self, x: Tensor, start: Tensor, target: Tensor) -> Tensor:
        gap = spread(target - start, x)
        mean = (self.jump(x, start, target) - x) / torch.where(gap == 0, 1.0, gap)
        return torch.where(gap == 0, self.slope(x, start), mean)

    def network(self, scaled: Tensor, start: Tensor, target: Tensor) -> Tensor:
        """The raw output of a perfectly distilled network."""
        x = scaled * spread(squared_norm(start).sqrt(), scaled)
        return raw_target(x, self.velocity(x, start, target), start)

    def clips(self, rows: int, width: int) -> tuple[Tensor, Tensor]:
        """Data and noise (rows, width)."""
        return self.mean + self.std * torch.randn(rows, width), torch.randn(rows, width)
