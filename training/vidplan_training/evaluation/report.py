# SPDX-License-Identifier: Apache-2.0
"""Results of an evaluation, printed and written to a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from vidplan_training.evaluation.figures.pictures import title_of


class Reported(Protocol):
    """Settings of what computes and may write a file."""

    @property
    def threads(self) -> int | None:
        """Of the processor; None as PyTorch chooses."""
        ...

    @property
    def json(self) -> Path | None:
        """File for the result."""
        ...


R = TypeVar('R', bound=Reported)


def report(evaluate: Callable[[R], dict[str, Any]], settings: R) -> int:
    """Evaluate, print a table and write the result."""
    if settings.threads:
        torch.set_num_threads(settings.threads)
    result = evaluate(settings)
    text = written(result, settings.json)
    print(brief(result) if settings.json else text)
    return 0


def written(result: dict[str, Any], path: Path | None) -> str:
    """A result as JSON, in a file too if one is named."""
    text = json.dumps(result, indent=1)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + '\n')
    return text


def brief(result: dict[str, Any]) -> str:
    """A line per mode of prediction; of rollouts, their last frame. Other results say it all."""
    if 'steps' not in result:
        return '\n'.join(
            f'{name:20s} {value}' for name, value in result.items() if not isinstance(value, dict)
        )
    modes = {title_of(int(n)): row for n, row in result['steps'].items()}
    modes |= {name: row for name, row in result.items() if isinstance(row, dict) and 'ssim' in row}
    lines = [f'{"":16s}{"PSNR dB":>9s}{"SSIM":>9s}{"deep":>9s}{"ms/chunk":>10s}']
    for name, row in modes.items():
        cells = ''.join(f'{_last(row[key]):9.3f}' for key in ('psnr_db', 'ssim', 'deep_feature'))
        seconds = row.get('s_per_chunk')
        lines.append(f'{name:16s}{cells}' + (f'{1e3 * seconds:10.1f}' if seconds else ''))
    return '\n'.join(lines)


def _last(value: float | list[float]) -> float:
    return value[-1] if isinstance(value, list) else value
