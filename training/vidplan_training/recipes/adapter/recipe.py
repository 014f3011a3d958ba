# SPDX-License-Identifier: Apache-2.0
"""Train the dynamics adapter: how the arm follows commanded joint velocities."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from vidplan_core.world_model.dynamics_adapter import (
    DynamicsAdapter,
    DynamicsAdapterConfig,
    load_dynamics_adapter,
    save_dynamics_adapter,
)
from vidplan_training.data.readers.options import add_source_arguments, open_source
from vidplan_training.engine.trainer import Trainer, TrainerConfig, add_trainer_arguments, options
from vidplan_training.recipes.adapter.data import (
    MEASURED_WINDOWS,
    Motions,
    MotionWindows,
    percentiles,
)

CHECKED_WINDOWS = 20_000


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `vidplan-train adapter`."""
    parser = subparsers.add_parser(
        'adapter', help='train how the arm follows commanded joint velocities'
    )
    add_source_arguments(parser)
    parser.add_argument('--out', type=Path, required=True, help='folder to write')
    parser.add_argument('--work', type=Path, default=Path('outputs/adapter.pt'))
    parser.add_argument(
        '--start', type=Path, help='released file or folder to go on from; keeps its percentiles'
    )
    parser.add_argument('--iterations', type=int, default=20_000)
    parser.add_argument('--batch', type=int, default=128)
    parser.add_argument('--learning-rate', type=float, default=3e-4)
    parser.add_argument('--steps', type=int, default=15, help='commands of a chunk')
    parser.add_argument('--hidden', type=int, default=512)
    parser.add_argument('--seed', type=int, default=0)
    add_trainer_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Train, write the averaged weights and their error on held-out episodes."""
    source = open_source(args)
    released = load_dynamics_adapter(args.start) if args.start else None
    steps = released.config.steps if released else args.steps
    training = MotionWindows(source, False, steps)
    held_out = MotionWindows(source, True, steps).some(CHECKED_WINDOWS)
    torch.manual_seed(args.seed)
    adapter = released or DynamicsAdapter(configure(training, steps, args.hidden))
    adapter.train().requires_grad_(True)
    config = TrainerConfig(
        args.iterations,
        args.learning_rate,
        warmup=min(200, args.iterations // 10),
        **options(args),
    )
    trainer = Trainer(adapter, config, args.work)
    check = held_out.to(trainer.device)

    def loss(iteration: int) -> Tensor:
        motions = training.random(iteration, args.batch, args.seed, trainer.share)
        return loss_of(adapter, motions.to(trainer.device))

    trainer.run(loss, lambda _: held_out_error(adapter, check))
    trainer.use_average()
    if trainer.main:
        metrics = held_out_error(adapter, check) | {'windows': len(check.q), 'seed': args.seed}
        save_dynamics_adapter(args.out, adapter.cpu())
        (args.out / 'metrics.json').write_text(json.dumps(metrics, indent=1) + '\n')
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
