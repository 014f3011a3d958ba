# SPDX-License-Identifier: Apache-2.0
"""Gradient refinement of one motion: keep a step only if the objective improves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

# What a motion (1, 3) is worth, a scalar, and what to keep of the best one, such as its future.
Value = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Refined:
    """The best motion found, on the device that it was found on.

    motion (1, 3); what was kept of it; values: the best so far at the start and after every
    iteration, (1 + iterations,).
    """

    motion: Tensor
    kept: Tensor
    values: Tensor


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
    """Ascend `value` inside a ball, without asking the device for a number.

    Steps have a fixed length along the gradient; a step that does not improve is taken back
    and the next one is half as long. Values that are not finite never improve.
    """
    best = motion.detach()
    best_value, gradient, kept = _evaluate(value, best, iterations > 0)
    values, length = [best_value], torch.full_like(best[:1, :1], step)
    for iteration in range(iterations):
        if should_stop():
            break
        direction = torch.nan_to_num(gradient / gradient.norm().clamp_min(1e-9))
        trial = into_ball(best + length * direction, radius)
        trial_value, trial_gradient, trial_kept = _evaluate(
            value, trial, iteration < iterations - 1
        )
        better = trial_value > best_value
        best = torch.where(better, trial, best)
        best_value = torch.where(better, trial_value, best_value)
        gradient = torch.where(better, trial_gradient, gradient)
        kept = torch.where(better, trial_kept, kept)
        length = torch.where(better, length, 0.5 * length)
        values.append(best_value)
    return Refined(best, kept, torch.stack(values))


def _evaluate(
    value: Value, motion: Tensor, with_gradient: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Value, gradient (zeros where none is asked for) and what is kept of a motion."""
    variable = motion.detach().requires_grad_(with_gradient)
    with torch.set_grad_enabled(with_gradient):
        result, kept = value(variable)
    gradient = torch.zeros_like(motion)
    if with_gradient:
        (gradient,) = torch.autograd.grad(result, variable)
    return result.detach(), gradient, kept.detach()
