# SPDX-License-Identifier: Apache-2.0
"""`vidplan bench engine`: what one evaluation of the world model and one plan cost."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from vidplan.cli.arguments import (
    above_zero,
    device,
    existing_file,
    models,
    output_file,
    positive,
)
from vidplan.cli.evaluate.loading import config_of, models_folder

if TYPE_CHECKING:
    from vidplan_core.world_model.world_model import WorldModel
    from vidplan_eval.speed.engine import Engine

SIZES = ('cell', 'tiny', 'small', 'full')


def add_parser(subparsers: Any) -> None:
    """Add the command to `vidplan bench`."""
    parser = subparsers.add_parser(
        'engine',
        help='time the world model and one plan of it, alone',
        description='Times the network for one and for six candidates, the decoder, and plans '
        '(six candidates, five refinement steps) with few sampling steps and both gradient '
        'paths; counts arithmetic, memory, recompilations and, on a GPU, waits for it.',
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the result')
    parser.add_argument('--size', choices=SIZES, default='cell', help='default %(default)s')
    parser.add_argument(
        '--models', type=models, metavar='DIR', help='default: the shipped ones; full: at random'
    )
    parser.add_argument(
        '--params',
        type=existing_file,
        metavar='YAML',
        help='how the planner that is counted plans',
    )
    parser.add_argument('--device', type=device, default='cpu')
    parser.add_argument('--dtype', choices=('auto', 'bf16', 'fp32'), default='auto')
    parser.add_argument('--compile', action='store_true', help='torch.compile network and decoder')
    parser.add_argument(
        '--cuda-graphs', action='store_true', help='with --compile, on a GPU: reduce-overhead'
    )
    parser.add_argument('--channels-last', action='store_true')
    parser.add_argument('--checkpointing', action='store_true', help='recompute activations')
    parser.add_argument('--steps', type=positive, nargs='+', default=[1, 2, 4])
    parser.add_argument('--candidates', type=positive, default=6)
    parser.add_argument('--iterations', type=positive, default=5, help='refinement steps')
    parser.add_argument(
        '--value',
        choices=('latent', 'picture'),
        default='latent',
        help='picture: a reward that needs the last frame decoded (default %(default)s)',
    )
    parser.add_argument(
        '--count', action='store_true', help='not of size cell: count a plan, time nothing'
    )
    parser.add_argument('--only', nargs='+', default=(), metavar='STAGE', help='such as reference')
    parser.add_argument('--beside', type=positive, metavar='N', help='N times beside a plain loop')
    parser.add_argument('--quick', action='store_true', help='one forward only, timed once')
    parser.add_argument('--repeats', type=positive, default=40, help='measurements per stage')
    parser.add_argument('--limit', type=above_zero, default=30.0, help='per stage, s')
    parser.add_argument('--threads', type=positive, help='default: as PyTorch chooses')


def run(args: argparse.Namespace) -> int:
    """Measure and print every stage."""
    import torch

    from vidplan_eval.results import write_json
    from vidplan_eval.speed.engine import Engine, EngineConfig
    from vidplan_eval.speed.engine_bench import bench_engine
    from vidplan_eval.speed.reference_loop import ReferenceLoop
    from vidplan_eval.speed.timing import Effort

    if args.threads:
        torch.set_num_threads(args.threads)
    cost = _cost(args)
    if args.count:
        if args.json is not None:
            write_json(args.json, {'plan_tflop': cost, 'settings': {'size': args.size}})
        return 0
    model = _model(args)
    config = EngineConfig(
        args.candidates, args.iterations, tuple(args.steps), args.value, args.checkpointing,
        config_of(args),
    )  # fmt: skip
    beside = ReferenceLoop(model) if model.config.backbone.kind == 'svd' else None
    engine = Engine(model, config, beside)
    settings = _settings(args, engine)
    print(f'{settings["parameters"] / 1e6:.1f} M parameters on {settings["device_name"]}')
    effort = Effort(1, 0, args.limit) if args.quick else Effort(args.repeats, 2, args.limit)
    only = ('forward',) if args.quick else tuple(args.only)
    beside_it = {'settings': settings} | ({} if cost is None else {'plan_tflop': cost})

    def report(name: str, row: dict[str, Any], so_far: dict[str, Any]) -> None:
        _print(name, row)
        if args.json is not None:  # after every stage: what is stopped keeps what it measured
            write_json(args.json, {**so_far, **beside_it})

    if args.beside and beside is not None:
        rows = {str(n): _beside(engine, n, args.beside) for n in (1, args.candidates)}
        if args.json is not None:
            write_json(args.json, {'share_of_reference': rows, **beside_it})
        return 0
    result = bench_engine(engine, effort, lambda: _prepare(args, engine), report, only)
    print(f'{"recompilations":24s} {result["recompilations"]:9d}')
    print(f'{"peak memory":24s} {result["peak_memory_mb"]:9.0f} MB')
    return 0


def _model(args: argparse.Namespace) -> WorldModel:
    """The world model that is measured."""
    import torch

    from vidplan_core.world_model.checkpoint import to_channels_last
    from vidplan_eval.speed.engine_model import load_engine_model

    folder = models_folder(args) if args.size == 'cell' else args.models
    model = load_engine_model(args.size, folder, torch.device(args.device), args.dtype)
    if args.channels_last:
        to_channels_last(model)
    return model


def _cost(args: argparse.Namespace) -> dict[str, float] | None:
    """Print what one plan costs, by part; None for a size that is not counted."""
    from vidplan_eval.speed.engine_model import on_meta
    from vidplan_eval.speed.plan_cost import plan_cost

    if args.size == 'cell':
        return None
    cost = plan_cost(on_meta(args.size), config_of(args), args.candidates)
    for part, tflop in cost.items():
        print(f'{part:24s} {tflop:9.3f} TFLOP of a plan')
    return cost


def _beside(engine: Engine, batch: int, runs: int) -> dict[str, Any]:
    """Measure and print a share."""
    from vidplan_eval.speed.engine_bench import share_of_reference

    row = share_of_reference(engine, batch, runs)
    low, high = row['interval']
    print(
        f'{batch} as planned: {row["share"]:.3f} of a plain loop (95 % interval {low:.3f} .. '
        f'{high:.3f}, {runs} runs)',
        flush=True,
    )
    return row


def _prepare(args: argparse.Namespace, engine: Engine) -> None:
    from vidplan_core.world_model.checkpoint import compile_networks

    if args.compile:
        # CUDA graphs are PyTorch's mode of this name.
        compile_networks(engine.model, 'reduce-overhead' if args.cuda_graphs else None)


def _print(name: str, row: dict[str, Any]) -> None:
    said = row.get('error') or (
        f'{row["ms_p50"]:9.1f} ms {row["ms_p99"]:9.1f} ms (99 %)'
        f' {row["tflop"]:9.4f} TFLOP {row["tflop_per_s"]:8.2f} TFLOP/s'
    )
    print(f'{name:24s} {said}', flush=True)


def _settings(args: argparse.Namespace, engine: Engine) -> dict[str, Any]:
    import os
    import platform
    from dataclasses import asdict

    import torch

    model = engine.model
    on_gpu = engine.device.type == 'cuda'
    return {
        'size': args.size,
        'models': str(args.models) if args.models else None,
        'backbone': model.config.backbone.kind,
        'parameters': sum(value.numel() for value in model.backbone.parameters()),
        'device': args.device,
        'device_name': torch.cuda.get_device_name(engine.device) if on_gpu else platform.machine(),
        'dtype': args.dtype,
        'weights': str(next(model.backbone.parameters()).dtype),
        'autocast': model.fast,
        'compile': args.compile,
        'cuda_graphs': args.cuda_graphs,
        'channels_last': args.channels_last,
        'threads': torch.get_num_threads(),
        'cores': os.cpu_count(),
        'torch': torch.__version__,
        'engine': asdict(engine.config),
    }
