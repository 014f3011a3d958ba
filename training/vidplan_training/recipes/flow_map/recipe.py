# SPDX-License-Identifier: Apache-2.0
"""Turn a trained world model into a flow map: the same weights sampled in 1, 2 or 4 steps.

The target time's embedding, a no-op until now, learns to tell jumps of different lengths; at
target = start the network stays the denoiser that it was, so the many-step sampler goes on
working with the same weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from vidplan_core.models.io import load_weights
from vidplan_core.world_model.checkpoint import save_world_model, world_model_config
from vidplan_core.world_model.sampler import CTRL_WORLD_SAMPLING, SamplingConfig
from vidplan_core.world_model.world_model import OTHER_PARTS, WorldModel
from vidplan_training.engine.processes import Processes
from vidplan_training.engine.trainer import Trainer, TrainerConfig, add_trainer_arguments, options
from vidplan_training.recipes.flow_map.check import HeldOut, averaged
from vidplan_training.recipes.flow_map.loss import (
    DIAGONALS,
    GUIDED,
    TARGETS,
    WEIGHTINGS,
    FlowMap,
    FlowMapConfig,
)
from vidplan_training.recipes.world_model.data import (
    add_data_arguments,
    autoencoder_for,
    clips_for,
    text_encoder_for,
)

CHECKED_CLIPS = 32
TEACHER_STEPS = CTRL_WORLD_SAMPLING.steps


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `vidplan-train flow-map`."""
    parser = subparsers.add_parser('flow-map', help='distil the world model into few steps')
    add_data_arguments(parser)
    parser.add_argument('--models', type=Path, default=Path('models/cell'))
    parser.add_argument('--work', type=Path, default=Path('outputs/flow_map.pt'))
    parser.add_argument('--out', type=Path, help='folder to write; default: MODELS/world_model')
    parser.add_argument('--iterations', type=int, default=3000)
    parser.add_argument('--batch', type=int, default=24)
    parser.add_argument('--learning-rate', type=float, default=3e-4)
    parser.add_argument('--ema', type=float, default=0.999)
    parser.add_argument('--compile', action='store_true', help='compile the network first')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--export-only', action='store_true', help='write the average so far')
    add_trainer_arguments(parser)
    _add_objective(parser)


def _add_objective(parser: argparse.ArgumentParser) -> None:
    usual = FlowMapConfig()
    group = parser.add_argument_group('objective')
    group.add_argument('--variant', choices=tuple(TARGETS), default=usual.variant)
    group.add_argument('--share', type=float, default=usual.share, help='distilled rows')
    group.add_argument(
        '--one-step', type=float, default=usual.one_step, help='distilled rows from noise to data'
    )
    group.add_argument('--diagonal', choices=DIAGONALS, default=usual.diagonal)
    group.add_argument(
        '--pure-noise', type=float, default=usual.pure_noise, help='diagonal rows at s = 0'
    )
    group.add_argument('--weighting', choices=WEIGHTINGS, default=usual.weighting)
    group.add_argument('--learned-weight', action='store_true', help='balance times by learning')
    group.add_argument(
        '--guidance',
        type=float,
        nargs=2,
        metavar=('FIRST', 'LAST'),
        help="learn the teacher's guided velocity, so that sampling needs no second pass",
    )
    group.add_argument(
        '--guided',
        choices=GUIDED,
        default=usual.guided,
        help='whether only jumps learn it: then the same weights are still the teacher',
    )


def objective(args: argparse.Namespace) -> FlowMapConfig:
    """Objective that the arguments describe."""
    return FlowMapConfig(
        variant=args.variant,
        share=args.share,
        one_step=args.one_step,
        diagonal=args.diagonal,
        pure_noise=args.pure_noise,
        weighting=args.weighting,
        guidance=tuple(args.guidance) if args.guidance else None,
        guided=args.guided,
    )


def load_teacher(args: argparse.Namespace) -> WorldModel:
    """The world model that this run began with, frozen.

    A copy beside the checkpoint keeps it for the day when the run is resumed: by then
    MODELS/world_model may hold the flow map that was made of it.
    """
    kept: Path = args.work.with_suffix('.teacher')
    source = kept if args.work.exists() else args.models / 'world_model'
    config = world_model_config(source)
    parts = autoencoder_for(args.models, config), text_encoder_for(args.models, config)
    model = WorldModel(config, *parts)
    load_weights(model, source, optional=OTHER_PARTS)
    if source != kept and Processes().main:
        save_world_model(kept, model)
    model.fast = args.precision != 'no'
    return model.eval().requires_grad_(False)


def start_from(teacher: WorldModel) -> WorldModel:
    """A trainable copy; the target time's embedding learns as well."""
    model = WorldModel(teacher.config, teacher.autoencoder, teacher.text_encoder)
    model.load_state_dict(teacher.state_dict())
    model.fast = teacher.fast
    model.backbone.requires_grad_(True)
    return model


def run(args: argparse.Namespace) -> int:
    """Distil and write the averaged weights."""
    config = objective(args)
    teacher = load_teacher(args)
    flow_map = FlowMap(start_from(teacher), args.learned_weight)
    length = TrainerConfig(args.iterations, args.learning_rate, ema=args.ema, **options(args))
    trainer = Trainer(flow_map, length, args.work)
    if not args.export_only:
        _train(trainer, flow_map, teacher.to(trainer.device), config, args)
    trainer.use_average()
    if trainer.main:
        save_world_model(args.out or args.models / 'world_model', flow_map.model)
    return 0


def _train(
    trainer: Trainer,
    flow_map: FlowMap,
    teacher: WorldModel,
    config: FlowMapConfig,
    args: argparse.Namespace,
) -> None:
    data, check = clips_for(teacher.config, args)
    first, last = config.guidance or (1.0, 1.0)
    sampling = SamplingConfig(TEACHER_STEPS, 'edm', first, last)
    clips = check.random(0, CHECKED_CLIPS, 1).to(trainer.device)
    held_out = HeldOut(teacher, clips, sampling) if trainer.main else None

    def loss(iteration: int) -> Tensor:
        share = trainer.share
        clips = data.random(iteration, args.batch, args.seed, share).to(trainer.device)
        return flow_map.loss(clips, config, teacher, share)

    def report(_: int) -> dict[str, float]:
        assert held_out is not None
        # A check has sizes of its own; compiling for them takes longer than they do.
        with averaged(flow_map, trainer.average), torch.compiler.set_stance('force_eager'):
            return held_out.measure(flow_map.model)

    if held_out is not None:
        before = '  '.join(f'{k} {v:.4g}' for k, v in held_out.measure(flow_map.model).items())
        print(f'{len(data)} training clips; held out before: {before}', flush=True)
    if args.compile:
        # Student and teacher rows differ in number: one graph for each, none for any number.
        flow_map.model.backbone.compile(dynamic=False)
    trainer.run(loss, report)
