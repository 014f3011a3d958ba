# SPDX-License-Identifier: Apache-2.0
"""Offline evaluation of trained models on episodes that they never saw."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path
from typing import Any

import torch

from vidplan_core.metrics.perceptual_networks import NETWORKS
from vidplan_training.evaluation.pictures import title_of

WHAT = {
    'world-model': 'world_model',
    'rollout': 'rollout',
    'semantic': 'semantic',
    'uncertainty': 'uncertainty',
    'value': 'value',
}


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `vidplan-train evaluate`."""
    parser = subparsers.add_parser('evaluate', help='evaluate a trained model offline')
    kinds = parser.add_subparsers(dest='what', required=True, metavar='WHAT')
    _add_world_model(kinds)
    _add_rollout(kinds)
    _add_semantic(kinds)
    for head in ('uncertainty', 'value'):
        importlib.import_module(f'vidplan_training.evaluation.{WHAT[head]}').add_parser(kinds)


def run(args: argparse.Namespace) -> int:
    """Evaluate, print a table and write the result."""
    if args.threads:
        torch.set_num_threads(args.threads)
    name = WHAT[args.what]
    module = importlib.import_module(f'vidplan_training.evaluation.{name}')
    result = getattr(module, f'evaluate_{name}')(args)
    text = written(result, args.json)
    print(brief(result) if args.json else text)
    return 0


def written(result: dict[str, Any], path: Path | None) -> str:
    """A result as JSON, in a file too if one is named."""
    text = json.dumps(result, indent=1)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + '\n')
    return text


def brief(result: dict[str, Any]) -> str:
    """A line per way to predict; of rollouts, their last frame. Other results say it all."""
    if 'steps' not in result:
        return '\n'.join(
            f'{name:20s} {value}' for name, value in result.items() if not isinstance(value, dict)
        )
    ways = {title_of(int(n)): row for n, row in result['steps'].items()}
    ways |= {name: row for name, row in result.items() if isinstance(row, dict) and 'ssim' in row}
    lines = [f'{"":16s}{"PSNR dB":>9s}{"SSIM":>9s}{"deep":>9s}{"ms/chunk":>10s}']
    for name, row in ways.items():
        cells = ''.join(f'{_last(row[key]):9.3f}' for key in ('psnr_db', 'ssim', 'deep_feature'))
        seconds = row.get('s_per_chunk')
        lines.append(f'{name:16s}{cells}' + (f'{1e3 * seconds:10.1f}' if seconds else ''))
    return '\n'.join(lines)


def _last(value: float | list[float]) -> float:
    return value[-1] if isinstance(value, list) else value


def _add_world_model(kinds: argparse._SubParsersAction) -> None:
    parser = kinds.add_parser(
        'world-model',
        help='quality and speed of one imagined chunk',
        description='Imagines clips of held-out episodes in few and in many steps and compares '
        'them with what happened, with copying and with reconstruction; all pixels and moving '
        'pixels apart.',
    )
    _add_common(parser, [1, 2, 4, 8, 50])
    parser.add_argument('--clips', type=int, default=200, help='two per episode')
    parser.add_argument('--pictures', type=Path, metavar='DIR', help='draw some clips as PNG')
    parser.add_argument('--picture-clips', type=int, default=4, help='how many; seeded choice')


def _add_rollout(kinds: argparse._SubParsersAction) -> None:
    parser = kinds.add_parser(
        'rollout',
        help='drift of imagination that is fed back',
        description='Imagines long held-out episodes chunk after chunk with their recorded '
        'actions; quality over time.',
    )
    _add_common(parser, [1, 4, 50])
    parser.add_argument('--episodes', type=int, default=8)
    parser.add_argument('--chunks', type=int, default=15, help='of four new frames each')
    parser.add_argument('--plot', type=Path, metavar='FILE', help='PNG or SVG of the curves')
    parser.add_argument('--video', type=Path, metavar='FILE', help='mp4 of the first episodes')


def _add_semantic(kinds: argparse._SubParsersAction) -> None:
    parser = kinds.add_parser(
        'semantic',
        help='which objects the semantic scorer finds, and where',
        description='Renders scenes of evaluation seeds, once with the instances that training '
        'scenes vary between and once with colours and sizes beyond them.',
    )
    parser.add_argument('--models', type=Path, default=Path('models/cell'))
    parser.add_argument('--episodes', type=int, default=100, help='scenes, of each kind')
    parser.add_argument('--seed', type=int, default=1_000_000, help='of the first scene')
    parser.add_argument('--threads', type=int, help='default: as PyTorch chooses')
    parser.add_argument('--json', type=Path)


def _add_common(parser: argparse.ArgumentParser, steps: list[int]) -> None:
    parser.add_argument('--data', type=Path, required=True, help='episodes of evaluation seeds')
    parser.add_argument('--models', type=Path, default=Path('models/cell'))
    parser.add_argument(
        '--steps',
        type=int,
        nargs='+',
        default=steps,
        help='network evaluations; from 50 on the EDM sampler, below the flow map',
    )
    parser.add_argument(
        '--guidance',
        type=float,
        nargs=2,
        default=(1.0, 2.0),
        metavar=('FIRST', 'LAST'),
        help='of the EDM sampler, for the first and the last frame (default %(default)s)',
    )
    parser.add_argument(
        '--temperature', type=float, default=1.0, help='size of the first noise (default 1)'
    )
    parser.add_argument(
        '--features',
        choices=('auto', *NETWORKS),
        default='auto',
        help='network of the deep-feature distance; auto takes the first that is here',
    )
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--threads', type=int, help='default: as PyTorch chooses')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', type=Path)
