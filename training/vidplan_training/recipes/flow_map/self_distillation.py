# SPDX-License-Identifier: Apache-2.0
"""Targets of flow-map self-distillation: what v_{s,t} should be, by the network itself.

A flow map that jumps from s to t must agree with itself: X_{s,t} = X_{u,t} o X_{s,u} for every
u between (progressive self-distillation, PSD), and d/dt X_{s,t} = v_{t,t} o X_{s,t}
(Lagrangian, LSD). Both become a wanted velocity under stop-gradient (Boffi et al. 2025).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from vidplan_core.world_model.sampling.flow import moved, spread
from vidplan_training.engine.batch_shard import WHOLE, BatchShard

Velocity = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Jump:
    """Flow times (rows,) of jumps from `start` over `middle` to `target`.

    `rest` is h of u = h s + (1 - h) t: the share of the jump that is left at u.
    """

    start: Tensor
    middle: Tensor
    target: Tensor
    rest: Tensor

    def to(self, device: torch.device) -> Jump:
        """The same jumps on another device."""
        return Jump(*(v.to(device) for v in (self.start, self.middle, self.target, self.rest)))

    def rows(self, chosen: Tensor) -> Jump:
        """Some of the jumps, by index."""
        return Jump(*(v[chosen] for v in (self.start, self.middle, self.target, self.rest)))


def random_jumps(
    rows: int, midpoint: bool, one_step: float = 0.0, shard: BatchShard = WHOLE
) -> Jump:
    """Jumps from the triangle s < t, uniformly; a part `one_step` of them goes from 0 to 1.

    u is the midpoint, or uniform between s and t.
    """
    ends = torch.stack([shard.rand(rows), shard.rand(rows)])
    start, target = ends.sort(dim=0).values
    whole = shard.rand(rows) < one_step
    start = torch.where(whole, torch.zeros(rows), start)
    target = torch.where(whole, torch.ones(rows), target)
    rest = torch.full((rows,), 0.5) if midpoint else shard.rand(rows)
    return Jump(start, rest * start + (1.0 - rest) * target, target, rest)


@torch.no_grad()
def psd_target(velocity: Velocity, x: Tensor, jump: Jump) -> Tensor:
    """(1 - h) v_{s,u}(x) + h v_{u,t}(X_{s,u}(x)): two shorter jumps as one velocity.

    With u = h s + (1 - h) t the first jump takes 1 - h of the way, so that is its weight.
    """
    first = velocity(x, jump.start, jump.middle)
    between = moved(x, first, jump.start, jump.middle)
    second = velocity(between, jump.middle, jump.target)
    return torch.lerp(first, second, spread(jump.rest, x).to(x.dtype))


@torch.no_grad()
def lsd_target(velocity: Velocity, x: Tensor, jump: Jump) -> Tensor:
    """v_{t,t}(X_{s,t}(x)) - (t - s) d/dt v_{s,t}(x), from d/dt X = v_{s,t} + (t - s) d/dt v_{s,t}.

    Of both terms only the wanted velocity is kept, so gradients never pass the derivative.
    """
    arrived_with, change = with_derivative(lambda t: velocity(x, jump.start, t), jump.target)
    arrived = moved(x, arrived_with, jump.start, jump.target)
    gap = spread(jump.target - jump.start, x).to(x.dtype)
    return velocity(arrived, jump.target, jump.target) - gap * change


def with_derivative(function: Callable[[Tensor], Tensor], time: Tensor) -> tuple[Tensor, Tensor]:
    """Values (rows, ...) of a function of times (rows,), and their derivative in each row's time.

    Two backward passes instead of a forward-mode one, which PyTorch's group normalisation of
    transposed tensors lacks: the gradient is linear in its weights, and the derivative of that
    in the weights is the product wanted. Only the mathematical form of attention allows it.
    """
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        time = time.detach().requires_grad_()
        values = function(time)
        weights = torch.zeros_like(values, requires_grad=True)
        (gradient,) = torch.autograd.grad(values, time, weights, create_graph=True)
        (derivative,) = torch.autograd.grad(gradient, weights, torch.ones_like(time))
    return values.detach(), derivative
