# SPDX-License-Identifier: Apache-2.0
"""Train a head, uncertainty or value, on rollouts of a world model that stays as it is."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from vidplan_core.heads import uncertainty as uncertainty_head
from vidplan_core.heads import value
from vidplan_core.heads.bins import ERROR_BINS, KINDS
from vidplan_core.heads.network import HeadConfig, save_head
from vidplan_core.models.io import load_weights
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_training.engine.processes import Processes
from vidplan_training.engine.trainer import (
    Trainer,
    TrainerConfig,
    add_trainer_arguments,
    options,
)
from vidplan_training.recipes.heads.uncertainty import UncertaintyTraining
from vidplan_training.recipes.heads.value import ValueTraining

HEADS: dict[str, tuple[Any, Any, str]] = {
    'uncertainty': (
        UncertaintyTraining,
        uncertainty_head.UncertaintyHead,
        uncertainty_head.FOLDER,
    ),
    'value': (ValueTraining, value.ValueHead, value.FOLDER),
}


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `vidplan-train heads`."""
    parser = subparsers.add_parser('heads', help='train the uncertainty or the value head')
    parser.add_argument('--kind', choices=sorted(HEADS), required=True)
    parser.add_argument('--data', type=Path, required=True, help='folder written by collect')
    parser.add_argument('--models', type=Path, default=Path('models/cell'), help='world model')
    parser.add_argument('--out', type=Path, help='models folder to write to; default: --models')
    parser.add_argument('--work', type=Path, help='checkpoint; default outputs/head_<kind>.pt')
    parser.add_argument('--iterations', type=int, default=3000)
    parser.add_argument('--batch', type=int, default=16)
    parser.add_argument('--pool', type=int, default=64, help='rollouts that 8 iterations share')
    parser.add_argument('--learning-rate', type=float, default=1e-3)
    parser.add_argument('--bins', choices=KINDS, default='power', help='of the error')
    parser.add_argument('--bin-count', type=int, default=ERROR_BINS)
    parser.add_argument(
        '--edits', type=float, default=0.15, help='share of rollouts with a planted hallucination'
    )
    parser.add_argument(
        '--phantoms',
        type=float,
        default=0.15,
        help='share of rollouts in which a thing has moved where it is not',
    )
    parser.add_argument(
        '--widths', type=int, nargs=3, default=HeadConfig.widths, help='of the levels of the head'
    )
    parser.add_argument('--gamma', type=float, default=0.95, help="value's discount per frame")
    parser.add_argument('--start', type=Path, help='folder of a trained head to go on from')
    parser.add_argument('--compile', action='store_true', help='compile the head first')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--export-only', action='store_true', help='write the average so far')
    add_trainer_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Make rollouts, train, write the averaged weights."""
    torch.manual_seed(args.seed)
    kind, head_class, folder = HEADS[args.kind]
    training = kind(load_world_model(args.models, Processes().device), args)
    head = head_class(training.config(args))
    work = args.work or Path('outputs') / f'head_{args.kind}.pt'
    if args.start:
        load_weights(head, args.start)
    elif not work.exists():
        training.prepare(head)
    config = TrainerConfig(args.iterations, args.learning_rate, **options(args))
    trainer = Trainer(head, config, work)
    if not args.export_only:
        if args.compile:
            head.network.compile()
        trainer.run(
            lambda iteration: training.loss(head, iteration, args.batch, trainer.share),
            lambda _: training.report(head),
        )
    trainer.use_average()
    if trainer.main:
        print(training.report(head), flush=True)
        save_head((args.out or args.models) / folder, head)
    return 0
