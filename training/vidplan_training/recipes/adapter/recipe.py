# SPDX-License-Identifier: Apache-2.0
"""Train the dynamics adapter: how the arm follows commanded joint velocities."""

from __future__ import annotations

import json

import torch
from torch import Tensor

from vidplan_core.world_model.dynamics_adapter import (
    DynamicsAdapter,
    DynamicsAdapterConfig,
    load_dynamics_adapter,
    save_dynamics_adapter,
)
from vidplan_training.data.readers.source import open_source
from vidplan_training.engine.trainer import Trainer
from vidplan_training.recipes.adapter.data import (
    MEASURED_WINDOWS,
    Motions,
    MotionWindows,
    percentiles,
)
from vidplan_training.recipes.adapter.settings import AdapterRecipe

CHECKED_WINDOWS = 20_000


def run(recipe: AdapterRecipe) -> int:
    """Train, write the averaged weights and their error on held-out episodes."""
    source = open_source(recipe)
    released = load_dynamics_adapter(recipe.start) if recipe.start else None
    steps = released.config.steps if released else recipe.steps
    training = MotionWindows(source, False, steps)
    held_out = MotionWindows(source, True, steps).some(CHECKED_WINDOWS)
    torch.manual_seed(recipe.seed)
    adapter = released or DynamicsAdapter(configure(training, steps, recipe.hidden))
    adapter.train().requires_grad_(True)
    trainer = Trainer(adapter, recipe.trainer.with_short_warmup(), recipe.work)
    check = held_out.to(trainer.device)

    def loss(iteration: int) -> Tensor:
        motions = training.random(iteration, recipe.batch, recipe.seed, trainer.shard)
        return loss_of(adapter, motions.to(trainer.device))

    trainer.run(loss, lambda _: held_out_error(adapter, check))
    trainer.use_average()
    if trainer.main:
        metrics = held_out_error(adapter, check) | {'windows': len(check.q), 'seed': recipe.seed}
        save_dynamics_adapter(recipe.out, adapter.cpu())
        (recipe.out / 'metrics.json').write_text(json.dumps(metrics, indent=1) + '\n')
        print(json.dumps(metrics))
    return 0


def configure(training: MotionWindows, steps: int, hidden: int) -> DynamicsAdapterConfig:
    """Sizes, and the percentiles of the training data."""
    some = training.some(MEASURED_WINDOWS)
    velocity, delta = percentiles(some.commands), percentiles(some.motion)
    return DynamicsAdapterConfig(
        steps, training.rate_hz, hidden, velocity[0], velocity[1], delta[0], delta[1]
    )


def loss_of(adapter: DynamicsAdapter, motions: Motions) -> Tensor:
    """Mean squared error of the motion, in units of its percentiles."""
    predicted = adapter(motions.q, motions.commands) - motions.q[:, None]
    return (adapter.target(predicted) - adapter.target(motions.motion)).square().mean()


@torch.no_grad()
def held_out_error(adapter: DynamicsAdapter, motions: Motions) -> dict[str, float]:
    """Mean absolute errors per joint, rad: over the chunk, at its end, and of standing still."""
    predicted = adapter(motions.q, motions.commands) - motions.q[:, None]
    error = (predicted - motions.motion).abs()
    return {
        'error_rad': error.mean().item(),
        'error_at_end_rad': error[:, -1].mean().item(),
        'still_error_rad': motions.motion.abs().mean().item(),
        'still_error_at_end_rad': motions.motion[:, -1].abs().mean().item(),
    }
