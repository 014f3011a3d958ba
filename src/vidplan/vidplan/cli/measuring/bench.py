# SPDX-License-Identifier: Apache-2.0
"""`vidplan bench`: how long each stage from images to joint commands takes on this machine."""

from __future__ import annotations

import argparse
from typing import Any

from vidplan.cli.arguments import device, models, output_file, positive, seed
from vidplan.cli.evaluate.loading import load_system, make_world, models_folder
from vidplan.cli.measuring import (
    bench_adapter,
    bench_cameras,
    bench_cancels,
    bench_engine,
    bench_faults,
    bench_fci,
    bench_outcomes,
    bench_stops,
    bench_views,
)

_KINDS: dict[str, Any] = {
    'engine': bench_engine, 'adapter': bench_adapter, 'stops': bench_stops,
    'cancels': bench_cancels, 'views': bench_views, 'fci': bench_fci,
    'faults': bench_faults, 'cameras': bench_cameras, 'outcomes': bench_outcomes,
}  # fmt: skip

# A scene for tuning, not for evaluation; timing does not depend on it.
SEED = 1


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'bench',
        help='time every stage from images to joint commands',
        description='Times stitching, encoding, imagining (candidates x sampling steps), '
        'scoring, one refinement step, a whole plan, the adapter and the way from images to '
        'joint commands, without the transport of ROS.',
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the result')
    parser.add_argument(
        '--seed', type=seed, default=SEED, help='of the scene (default %(default)s)'
    )
    parser.add_argument('--models', type=models, metavar='DIR', help='default: the shipped ones')
    parser.add_argument('--device', type=device, default='cpu')
    parser.add_argument('--threads', type=positive, help='default: as PyTorch chooses')
    parser.add_argument('--repeats', type=positive, default=40, help='measurements per stage')
    kinds = parser.add_subparsers(dest='what', metavar='[KIND]')
    for kind in _KINDS.values():
        kind.add_parser(kinds)
    _add_execution_parser(kinds)
    return parser


def run(args: argparse.Namespace) -> int:
    """Measure and print every stage."""
    if args.what in _KINDS:
        return int(_KINDS[args.what].run(args))
    if args.what == 'execution':
        return _run_execution(args)
    import torch

    from vidplan_eval.results import write_json
    from vidplan_eval.speed.timing import Effort, measure, peak_memory_mb

    if args.threads:
        torch.set_num_threads(args.threads)
    system = load_system(args)
    print(
        f'{torch.get_num_threads()} threads on {args.device}, models {models_folder(args)}, '
        f'{system.config.refine_iterations} refinement steps per plan'
    )
    bench = _bench(args, system)
    stages = {}
    for name, stage in bench.stages():
        stages[name] = measure(stage, Effort(repeats=args.repeats), system.device)
        row = stages[name]
        print(f'{name:24s} {row["p50_s"] * 1e3:9.2f} ms  {row["p99_s"] * 1e3:9.2f} ms (99 %)')
    memory_mb = peak_memory_mb(system.device)
    print(f'{"peak memory":24s} {memory_mb:9.0f} MB')
    if args.json is not None:
        write_json(
            args.json,
            {**stages, 'peak_memory_mb': memory_mb, 'settings': _settings(args, system)},
        )
    return 0


def _bench(args: argparse.Namespace, system: Any) -> Any:
    from vidplan_eval.episode import make_episode
    from vidplan_eval.speed.bench import Bench

    world = make_world(system)
    episode = make_episode(args.seed)
    world.reset(episode.scene)
    return Bench(system, world, episode.instruction)


def _settings(args: argparse.Namespace, system: Any) -> dict[str, Any]:
    import os
    from dataclasses import asdict

    import torch

    return {
        'threads': torch.get_num_threads(),
        'cores': os.cpu_count(),
        'device': args.device,
        'models': str(models_folder(args)),
        'torch': torch.__version__,
        'planner': asdict(system.config),
    }


def _add_execution_parser(subparsers: Any) -> None:
    """Add the command that compares what is executed with what was planned."""
    parser = subparsers.add_parser(
        'execution',
        help='measure how far motions are executed as they were planned',
        description='Hands the adapter random motions that an arm can follow in their time, and '
        'tells how many it stretches, and how far the arm is from the planned frames. No model, '
        'no simulation.',
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the result')
    parser.add_argument(
        '--seed', type=seed, default=SEED, help='of the motions (default %(default)s)'
    )
    parser.add_argument(
        '--starts', type=positive, default=25, help='of six directions each (default %(default)s)'
    )
    parser.add_argument(
        '--chunks', type=positive, default=200,
        help='random ones with yaw and descent (default %(default)s)',
    )  # fmt: skip


def _run_execution(args: argparse.Namespace) -> int:
    """Measure and print every kind of motion."""
    import torch

    from vidplan_core.control.config import AdapterConfig
    from vidplan_eval.results import write_json
    from vidplan_eval.suites.execution import bench_execution

    torch.set_num_threads(1)  # seven joints need no thread pool
    result = bench_execution(AdapterConfig(), args.seed, args.starts, args.chunks)
    for name, row in result.items():
        refused = sum(row['refused'].values())
        print(
            f'{name:12s} {row["chunks"]:5d} chunks, {refused} refused, '
            f'{row["stretched"]} stretched (worst {row["ratio_max"]:.2f}), '
            f'away {row["away_mm_mean"]:.2f} mm on average, {row["away_mm_max"]:.2f} mm at most'
        )
    if args.json is not None:
        settings = {'seed': args.seed, 'starts': args.starts, 'chunks': args.chunks}
        write_json(args.json, {**result, 'settings': settings})
    return 0
