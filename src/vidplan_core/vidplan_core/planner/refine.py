# SPDX-License-Identifier: Apache-2.0
"""Gradient refinement of one motion: keep a step only if the objective improves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Value = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Refined:
    """The best motion found, its value, and the value after every iteration."""

    motion: Tensor
    value: float
    history: tuple[float, ...]


def into_ball(motion: Tensor, radius: float) -> Tensor:
    """Shorten vectors (..., 3) that are longer than `radius`."""
    length = motion.norm(dim=-1, keepdim=True).clamp_min(1e-9)
    return motion * (radius / length).clamp_max(1.0)


def refine(
    value: Value,
    motion: Tensor,
    *,
    iterations: int,
    step: float,
    radius: float,
    should_stop: Callable[[], bool] = lambda: False,
) -> Refined:
    """Ascend `value`, a function of a motion (1, 3) to a scalar, inside a ball.

    Steps have a fixed length along the gradient; a step that does not improve is taken back
    and the next one is half as long. Values that are not finite never improve.
    """
    best = motion.detach()
    best_value, gradient = _evaluate(value, best, iterations > 0)
    history = [best_value]
    for iteration in range(iterations):
        if should_stop() or not bool(torch.isfinite(gradient).all()):
            break
        direction = gradient / gradient.norm().clamp_min(1e-9)
        trial = into_ball(best + step * direction, radius)
        last = iteration == iterations - 1
        trial_value, trial_gradient = _evaluate(value, trial, not last)
        if trial_value > best_value:
            best, best_value, gradient = trial, trial_value, trial_gradient
        else:
            step *= 0.5
        history.append(best_value)
    return Refined(best, best_value, tuple(history))


def _evaluate(value: Value, motion: Tensor, with_gradient: bool) -> tuple[float, Tensor]:
    if not with_gradient:
        with torch.no_grad():
            return float(value(motion)), torch.zeros_like(motion)
    variable = motion.clone().requires_grad_(True)
    with torch.enable_grad():
        result = value(variable)
        (gradient,) = torch.autograd.grad(result, variable)
    return float(result.detach()), gradient
